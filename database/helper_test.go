package database_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/pgtest"
	"postern/interop"
)

// testKey is the secret key of every test database, the frozen one included.
var testKey = must(database.ParseSecretKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// openSQLite opens a file the way the daemon does. An empty path makes a new one.
func openSQLite(t testing.TB, path string) *dbutil.Database {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "postern.db")
	}
	raw, err := database.Open(context.Background(), "sqlite", path, zerolog.Nop())
	check(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// upgraded makes our tables in raw.
func upgraded(t testing.TB, raw *dbutil.Database) *database.Database {
	t.Helper()
	db := database.New(raw, testKey, zerolog.Nop())
	check(t, db.Upgrade(context.Background()))
	return db
}

// onEachDialect runs a test on an empty database of each kind.
func onEachDialect(t *testing.T, test func(t *testing.T, raw *dbutil.Database)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, openSQLite(t, "")) })
	t.Run("PostgreSQL", func(t *testing.T) {
		if raw := pgtest.Open(t); raw != nil {
			test(t, raw)
		}
	})
}

var userCount atomic.Int64

// enlistment makes an enlistment of a user that no other has, with real keys.
func enlistment() *database.Enlistment {
	return &database.Enlistment{
		Gatekeeper:     "whatsapp",
		UserID:         fmt.Sprintf("@user%d:example.org", userCount.Add(1)),
		Keys:           interop.NewKeys(),
		ConsentVersion: 1,
		ConsentAt:      time.Unix(1_760_000_000, 0),
	}
}

// newAccount enlists somebody new and returns the store.
func newAccount(t testing.TB, db *database.Database) *database.AccountStore {
	t.Helper()
	enlisted := enlistment()
	check(t, db.Enlistments().Create(context.Background(), enlisted))
	return db.AccountStore(enlisted.Account)
}
