package database_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/upgrades"
)

func upgradeAll(raw *dbutil.Database, path, program string) error {
	how := database.Upgrading{Program: program, URI: path, Log: zerolog.Nop()}
	return database.New(raw, testKey, zerolog.Nop()).UpgradeAll(context.Background(), how)
}

func TestAnOldDatabaseIsCopiedBeforeItIsUpgraded(t *testing.T) {
	ctx := context.Background()
	path := frozenCopy(t, 1)
	raw := openSQLite(t, path)
	check(t, upgradeAll(raw, path, "1.1"))
	checkFrozen(t, raw, 1)
	for _, table := range []string{"message", "mx_room_state", "crypto_account"} {
		if exists := must(raw.TableExists(ctx, table)); !exists {
			t.Errorf("there is no table %s", table)
		}
	}

	copies := must(database.CopiesBefore(path))
	if len(copies) != 1 || !strings.HasPrefix(copies[0], path+".before-upgrade-") {
		t.Fatalf("copies are %q", copies)
	}
	if info := must(os.Stat(copies[0])); info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %o", info.Mode().Perm())
	}
	old := openSQLite(t, copies[0])
	var version int
	check(t, old.QueryRow(ctx, "SELECT version FROM postern_version").Scan(&version))
	if version != 1 {
		t.Errorf("the copy has version %d", version)
	}
	// Nobody uses it by mistake: it knows that it is a copy, and is whole.
	if made := must(database.New(old, testKey, zerolog.Nop()).CopyMade(ctx)); made.IsZero() {
		t.Error("the copy does not know that it is one")
	}
	checkFrozen(t, old, 1)

	check(t, upgradeAll(raw, path, "1.1"))
	if copies = must(database.CopiesBefore(path)); len(copies) != 1 {
		t.Errorf("with nothing to upgrade there are copies %q", copies)
	}
}

func TestANewDatabaseIsNotCopied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	check(t, upgradeAll(openSQLite(t, path), path, "1.0"))
	if copies := must(database.CopiesBefore(path)); len(copies) != 0 {
		t.Errorf("copies are %q", copies)
	}
}

func TestOnlyTheNewestCopiesAreKept(t *testing.T) {
	path := frozenCopy(t, 1)
	raw := openSQLite(t, path)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 5 {
		now = now.Add(time.Hour)
		db := database.New(raw, testKey, zerolog.Nop()).WithClock(func() time.Time { return now })
		check(t, db.UpgradeAll(context.Background(), database.Upgrading{URI: path, Log: zerolog.Nop()}))
		// As if the Matrix library had a new step.
		_, err := raw.Exec(context.Background(), "DROP TABLE mx_version")
		check(t, err)
		dropTables(t, raw, "mx_")
	}
	copies := must(database.CopiesBefore(path))
	if len(copies) != 3 || !strings.HasSuffix(copies[2], "20260101-050000.000") || !strings.HasSuffix(copies[0], "20260101-030000.000") {
		t.Errorf("copies are %q", copies)
	}
}

func dropTables(t *testing.T, raw *dbutil.Database, prefix string) {
	t.Helper()
	rows, err := raw.Query(context.Background(), "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE $1", prefix+"%")
	names, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	check(t, err)
	for _, name := range names {
		_, err = raw.Exec(context.Background(), "DROP TABLE "+name)
		check(t, err)
	}
}

// TestAFailedUpgradeChangesNothing: whichever schema it is that cannot be upgraded.
func TestAFailedUpgradeChangesNothing(t *testing.T) {
	for _, table := range []string{"postern_contact", "portal", "mx_room_state", "crypto_account"} {
		t.Run(table, func(t *testing.T) {
			ctx := context.Background()
			path := frozenCopy(t, 1)
			raw := openSQLite(t, path)
			_, err := raw.Exec(ctx, "CREATE TABLE "+table+" (in_the_way INTEGER)")
			check(t, err)
			if err = upgradeAll(raw, path, "1.1"); err == nil {
				t.Fatal("the upgrade went through")
			}
			var version, tables int
			check(t, raw.QueryRow(ctx, "SELECT version FROM postern_version").Scan(&version))
			check(t, raw.QueryRow(ctx, "SELECT count(*) FROM sqlite_master WHERE name IN ('version', 'mx_version', 'crypto_version')").Scan(&tables))
			if version != 1 || tables != 0 {
				t.Errorf("our tables have version %d, and %d other schemas are there", version, tables)
			}
			if copies := must(database.CopiesBefore(path)); len(copies) != 0 {
				t.Errorf("copies of what did not change: %q", copies)
			}
			_, err = raw.Exec(ctx, "DROP TABLE "+table)
			check(t, err)
			check(t, upgradeAll(raw, path, "1.1"))
			checkFrozen(t, raw, 1)
		})
	}
}

// TestAnyNewerSchemaIsRefusedWithTheVersionToUse: before anything is changed, and for the tables of the Matrix library too.
func TestAnyNewerSchemaIsRefusedWithTheVersionToUse(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		check(t, upgradeAll(raw, "", "2.7.1"))
		for table, name := range map[string]string{
			"postern_version": "bridge", "version": "chat", "mx_version": "room state", "crypto_version": "encryption",
		} {
			var version int
			check(t, raw.QueryRow(ctx, "SELECT version FROM "+table).Scan(&version))
			set := func(to int) {
				_, err := raw.Exec(ctx, "UPDATE "+table+" SET version = $1, compat = $1", to)
				check(t, err)
			}
			set(1000)
			err := upgradeAll(raw, "", "2.0.0")
			if !errors.Is(err, database.ErrNewerSchema) || !strings.Contains(err.Error(), name+" tables are of version 1000") ||
				!strings.Contains(err.Error(), `Postern "2.7.1"`) {
				t.Errorf("%s: %v", table, err)
			}
			set(version)
		}
		// What is newer and says that older programs can use it is no obstacle.
		_, err := raw.Exec(ctx, "UPDATE postern_version SET version = 1000, compat = $1", len(upgrades.Table))
		check(t, err)
		check(t, upgradeAll(raw, "", "2.0.0"))
	})
}

// TestAKillDuringTheUpgradeLeavesTheOldDatabase kills a process at every step of an upgrade. The next start finds the database as it was,
// and upgrades it.
func TestAKillDuringTheUpgradeLeavesTheOldDatabase(t *testing.T) {
	ctx := context.Background()
	path := frozenCopy(t, 1)
	for step := 1; ; step++ {
		upgrader := startChild(t, childUpgrader, path)
		for i := range step {
			if i > 0 {
				_, err := upgrader.stdin.Write([]byte("on\n"))
				check(t, err)
			}
			if !upgrader.stdout.Scan() || upgrader.stdout.Text() == "done" {
				check(t, upgrader.process.Process.Kill())
				_ = upgrader.process.Wait()
				if step < len(upgrades.Table)+2 {
					t.Errorf("there were only %d steps", step-1)
				}
				checkFrozen(t, openSQLite(t, path), 1)
				return
			}
		}
		check(t, upgrader.process.Process.Kill())
		_ = upgrader.process.Wait() // killed
		raw, err := database.Open(ctx, "sqlite", path, zerolog.Nop())
		check(t, err)
		var version, tables int
		check(t, raw.QueryRow(ctx, "SELECT version FROM postern_version").Scan(&version))
		check(t, raw.QueryRow(ctx, "SELECT count(*) FROM sqlite_master WHERE name IN ('postern_contact', 'version', 'mx_version')").Scan(&tables))
		if version != 1 || tables != 0 {
			t.Fatalf("killed at step %d: version %d, %d new tables", step, version, tables)
		}
		if copies := must(database.CopiesBefore(path)); len(copies) == 0 || len(copies) > 3 {
			t.Errorf("killed at step %d: copies are %q", step, copies)
		}
		check(t, raw.Close())
	}
}

// runUpgrader is the child of that test. It says each step before it does it, and waits for a line.
func runUpgrader(path string, stdin io.Reader, say func(string)) error {
	ctx := context.Background()
	raw, err := database.Open(ctx, "sqlite", path, zerolog.Nop())
	if err != nil {
		return err
	}
	log := zerolog.New(stepWriter{say, bufio.NewScanner(stdin)})
	err = database.New(raw, testKey, zerolog.Nop()).UpgradeAll(ctx, database.Upgrading{Program: "1.1", URI: path, Log: log})
	if err = errors.Join(err, raw.Close()); err == nil {
		say("done")
	}
	return err
}

// stepWriter is a log that says when a step begins, and waits then.
type stepWriter struct {
	say  func(string)
	next *bufio.Scanner
}

func (w stepWriter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(`"Upgrading database"`)) {
		w.say("step")
		w.next.Scan()
	}
	return len(line), nil
}
