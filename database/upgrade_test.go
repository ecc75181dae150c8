package database_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	bridgedb "maunium.net/go/mautrix/bridgev2/database"

	"postern/database"
	"postern/database/upgrades"
)

// TestUpgradedSchemaIsTheLatest compares what the steps make of the first version with what an empty database gets at once.
func TestUpgradedSchemaIsTheLatest(t *testing.T) {
	old, latest := openSQLite(t, frozenCopy(t, 1)), openSQLite(t, "")
	upgraded(t, old)
	upgraded(t, latest)
	got, want := columns(t, old), columns(t, latest)
	for name, definition := range want {
		if got[name] != definition {
			t.Errorf("%s: upgraded %q, latest %q", name, got[name], definition)
		}
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("%s is not in the latest schema", name)
		}
	}
}

// columns describes every column and index of our tables, whatever the order in which they were made.
func columns(t *testing.T, raw *dbutil.Database) map[string]string {
	t.Helper()
	rows, err := raw.Query(context.Background(), `
		SELECT tables.name || '.' || columns.name,
			columns.type || ' ' || columns."notnull" || ' ' || coalesce(columns.dflt_value, '') || ' ' || columns.pk
		FROM sqlite_master tables, pragma_table_info(tables.name) columns WHERE tables.type = 'table'
		UNION ALL SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type = 'index'
		UNION ALL SELECT tables.name || ' refers by ' || keys."from", keys."table" || ' ' || keys."to" || ' ' || keys.on_delete
		FROM sqlite_master tables, pragma_foreign_key_list(tables.name) keys WHERE tables.type = 'table'`)
	check(t, err)
	defer rows.Close()
	all := make(map[string]string)
	for rows.Next() {
		var name, definition string
		check(t, rows.Scan(&name, &definition))
		all[name] = definition
	}
	check(t, rows.Err())
	if len(all) < 40 {
		t.Fatalf("only %d columns and indexes: looks in the wrong place", len(all))
	}
	return all
}

func TestNewerSchemaIsRefusedAndLeftAlone(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		upgraded(t, raw)
		newer := len(upgrades.Table) + 1
		_, err := raw.Exec(ctx, "UPDATE postern_version SET version = $1, compat = $1", newer)
		check(t, err)
		raw.IgnoreUnsupportedDatabase = true // meant for bridgev2, must not let us through
		err = database.New(raw, testKey, zerolog.Nop()).Upgrade(ctx)
		if !errors.Is(err, database.ErrNewerSchema) || !errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
			t.Errorf("got %v", err)
		}
		var version int
		check(t, raw.QueryRow(ctx, "SELECT version FROM postern_version").Scan(&version))
		if version != newer {
			t.Errorf("version is %d now", version)
		}
	})
}

func TestCheckWantsExactlyThisVersionAndChangesNothing(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := database.New(raw, testKey, zerolog.Nop())
		if err := db.Check(ctx); !errors.Is(err, database.ErrOtherSchema) {
			t.Errorf("an empty database: %v", err)
		}
		if exists := must(raw.TableExists(ctx, "postern_version")); exists {
			t.Error("a table was made")
		}
		check(t, db.Upgrade(ctx))
		check(t, db.Check(ctx))
		if err := database.New(raw, database.NewSecretKey(), zerolog.Nop()).Check(ctx); !errors.Is(err, database.ErrWrongSecretKey) {
			t.Errorf("another secret key: %v", err)
		}
		for change, want := range map[int]error{-1: database.ErrOtherSchema, 1: database.ErrNewerSchema} {
			_, err := raw.Exec(ctx, "UPDATE postern_version SET version = $1", len(upgrades.Table)+change)
			check(t, err)
			if err = db.Check(ctx); !errors.Is(err, want) {
				t.Errorf("version %+d: %v", change, err)
			}
		}
	})
}

func TestFailedUpgradeLeavesNothing(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		_, err := raw.Exec(ctx, "CREATE TABLE postern_kv (in_the_way INTEGER)") // the last table we make
		check(t, err)
		if err = database.New(raw, testKey, zerolog.Nop()).Upgrade(ctx); err == nil {
			t.Fatal("upgrade went through")
		}
		for _, table := range []string{"postern_version", "postern_enlistment", "postern_secret_check"} {
			if exists := must(raw.TableExists(ctx, table)); exists {
				t.Errorf("table %s was left behind", table)
			}
		}
		_, err = raw.Exec(ctx, "DROP TABLE postern_kv")
		check(t, err)
		upgraded(t, raw)
	})
}

func TestTwoFirstStartsAtOnce(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		var group sync.WaitGroup
		failures := make([]error, 4)
		for i := range failures {
			group.Go(func() { failures[i] = database.New(raw, testKey, zerolog.Nop()).Upgrade(context.Background()) })
		}
		group.Wait()
		check(t, errors.Join(failures...))
	})
}

func TestTablesLiveBesideThoseOfBridgev2(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		raw.Owner = "megabridge/postern"
		bridge := bridgedb.New("postern", bridgedb.MetaTypes{}, raw)
		check(t, bridge.Upgrade(ctx))
		db := upgraded(t, raw)
		check(t, bridge.Upgrade(ctx))
		check(t, db.Enlistments().Create(ctx, enlistment()))
	})
}

func TestForeignKeysMustBeOn(t *testing.T) {
	raw, err := dbutil.NewWithDialect(filepath.Join(t.TempDir(), "plain.db"), "sqlite3")
	check(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	err = database.New(raw, testKey, zerolog.Nop()).Upgrade(context.Background())
	if !errors.Is(err, database.ErrForeignKeysOff) {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefusesUnknownKinds(t *testing.T) {
	if _, err := database.Open(context.Background(), "mysql", "x", zerolog.Nop()); !errors.Is(err, database.ErrUnknownType) {
		t.Errorf("got %v", err)
	}
	if _, err := database.Open(context.Background(), "sqlite", filepath.Join(t.TempDir(), "no", "such", "dir.db"), zerolog.Nop()); err == nil {
		t.Error("a file in no directory was opened")
	}
}

func TestSQLiteIsOpenedForDurability(t *testing.T) {
	raw := openSQLite(t, "file:"+filepath.Join(t.TempDir(), "with space.db")+"?_stmt_cache_size=9")
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "2", "busy_timeout": "5000",
	} {
		var got string
		check(t, raw.QueryRow(context.Background(), "PRAGMA "+pragma).Scan(&got))
		if !strings.EqualFold(got, want) {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
}
