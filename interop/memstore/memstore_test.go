package memstore_test

import (
	"testing"

	"postern/interop"
	"postern/interop/memstore"
	"postern/interop/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) interop.Store { return memstore.New() })
}
