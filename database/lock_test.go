package database_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/pgtest"
)

func TestOnlyOneDaemonUsesADatabase(t *testing.T) {
	ctx := context.Background()
	test := func(t *testing.T, uri string, open func() *dbutil.Database) {
		first, second := open(), open()
		release, err := database.Lock(ctx, first, uri)
		check(t, err)
		if _, err = database.Lock(ctx, second, uri); !errors.Is(err, database.ErrInUse) {
			t.Errorf("a second lock: %v", err)
		}
		check(t, release())
		if release, err = database.Lock(ctx, second, uri); err != nil {
			t.Fatalf("after the first was released: %v", err)
		}
		check(t, second.Close()) // as a stop of the daemon does it
		check(t, release())
		release, err = database.Lock(ctx, first, uri)
		check(t, err)
		check(t, release())
	}
	t.Run("SQLite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "postern.db")
		test(t, path, func() *dbutil.Database { return openSQLite(t, path) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		uri := pgtest.URI(t)
		if uri == "" {
			return
		}
		test(t, uri, func() *dbutil.Database {
			raw, err := database.Open(ctx, "postgres", uri, zerolog.Nop())
			check(t, err)
			t.Cleanup(func() { _ = raw.Close() })
			return raw
		})
	})
}
