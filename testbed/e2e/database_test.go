package e2e_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types/events"

	"postern/database"
	"postern/testbed/postgres"
	"postern/testbed/stack"
)

const databaseFile = "postern.db"

// openDatabase opens the bridge's database beside it.
func openDatabase(t *testing.T, ctx context.Context, s *stack.Stack) *dbutil.Database {
	t.Helper()
	kind, uri := "sqlite", filepath.Join(s.Dir("bridge"), databaseFile)
	if s.Postgres != nil {
		kind, uri = "postgres", s.PostgresURI
	}
	return open(t, ctx, kind, uri)
}

// copyOfDatabase opens what the bridge has stored, without touching its files.
func copyOfDatabase(t *testing.T, ctx context.Context, s *stack.Stack) *dbutil.Database {
	t.Helper()
	if s.Postgres != nil {
		return openDatabase(t, ctx, s)
	}
	dir := t.TempDir()
	for _, name := range []string{databaseFile, databaseFile + "-wal"} {
		content, err := os.ReadFile(filepath.Join(s.Dir("bridge"), name))
		if err != nil && name == databaseFile {
			t.Fatal(err)
		} else if err == nil {
			if err = os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return open(t, ctx, "sqlite", filepath.Join(dir, databaseFile))
}

func open(t *testing.T, ctx context.Context, kind, uri string) *dbutil.Database {
	t.Helper()
	raw, err := database.Open(ctx, kind, uri, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// loseDatabase erases the database of a bridge that does not run.
func loseDatabase(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	if s.Postgres != nil {
		if _, err := openDatabase(t, ctx, s).Exec(ctx, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"); err != nil {
			t.Fatal(err)
		}
		return
	}
	files := must(filepath.Glob(filepath.Join(s.Dir("bridge"), databaseFile+"*")))(t)
	if len(files) == 0 {
		t.Fatal("there is no database to lose")
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// restartWithoutDatabase is what happens to an admin who loses the database, and keeps the secret key.
func restartWithoutDatabase(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	loseDatabase(t, ctx, s)
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// foldersOf returns where parts keep their files, the database of the bridge included.
func foldersOf(s *stack.Stack, parts ...string) (folders []string) {
	for _, part := range parts {
		folders = append(folders, s.Dir(part))
		if part == "bridge" && s.Postgres != nil {
			folders = append(folders, s.Postgres.Dir())
		}
	}
	return folders
}

// TestADatabaseIsMovedToPostgres: the chat goes on in its room under the same keys, and the old file is not used any more.
func TestADatabaseIsMovedToPostgres(t *testing.T) {
	if postgres.Chosen() {
		t.Skip("this begins with SQLite")
	}
	ctx, s := own(t, stack.Options{})
	server, err := postgres.New(ctx)
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip("!!! NOT RUN: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Bridge.Stop(context.Background())
		_ = server.Close()
	})
	if err = server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	uri := must(server.NewDatabase(ctx, "moved"))(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)

	if said, err := s.Bridge.Run(ctx, "db", "migrate", "--to", uri); err == nil || !strings.Contains(said, "in use by a running Postern") {
		t.Errorf("while the bridge runs: %q, %v", said, err)
	}
	if err = s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if said, err := s.Bridge.Run(ctx, "db", "migrate", "--to", uri); err != nil || !strings.Contains(said, "rows in all, on both sides") {
		t.Fatalf("said %q, %v", said, err)
	}
	if said, err := s.Bridge.Run(ctx, "run"); err == nil || !strings.Contains(said, "moved to PostgreSQL") {
		t.Errorf("the old database is used: %q, %v", said, err)
	}
	err = s.Bridge.EditConfig(func(config map[string]any) {
		config["database"] = map[string]any{"type": "postgres", "uri": uri}
	})
	if err != nil {
		t.Fatal(err)
	}
	mark := bob.Device().Mark()
	if err = s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	there, back := unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, back)
	if next := alice.receives(t, ctx, back).RoomID; next != room {
		t.Errorf("the chat goes on in %s", next)
	}
	changed := false
	_, err = bob.Device().WaitAfter(ctx, mark, "message", func(evt any) bool {
		if _, other := evt.(*events.IdentityChange); other {
			changed = true
		}
		message, ok := evt.(*events.Message)
		return ok && strings.Contains(message.Message.String(), there)
	})
	if err != nil || changed {
		t.Errorf("the contact sees another security code: %v, %v", changed, err)
	}
}
