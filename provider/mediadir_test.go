package provider_test

import (
	"testing"

	"postern/provider"
	"postern/provider/storetest"
)

func TestDirectoryIsAMediaStore(t *testing.T) {
	storetest.Check(t, func(t *testing.T) func() provider.MediaStore {
		dir := t.TempDir()
		return func() provider.MediaStore { return dirStore(t, dir) }
	})
}
