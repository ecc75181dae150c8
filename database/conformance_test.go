package database_test

import (
	"testing"

	"go.mau.fi/util/dbutil"

	"postern/interop"
	"postern/interop/storetest"
)

func TestAccountStoreIsAnInteropStore(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		db := upgraded(t, raw)
		storetest.Run(t, func(t *testing.T) interop.Store { return newAccount(t, db) })
	})
}
