package bridge_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/bridge"
	"postern/bridge/config"
	"postern/database"
)

func TestABackupIsNotStartedAndARestoredOneHasNewKeys(t *testing.T) {
	ctx := context.Background()
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "backup")
	if err := bridge.Backup(ctx, i.cfg, copied); err != nil { // beside the daemon
		t.Fatal(err)
	}

	if _, err := bridge.New(ctx, i.cfg, "test", zerolog.Nop()); !errors.Is(err, database.ErrInUse) {
		t.Errorf("a second daemon: %v", err)
	}
	if _, err := bridge.RestoreInPlace(ctx, i.cfg); !errors.Is(err, database.ErrInUse) {
		t.Errorf("while the daemon runs: %v", err)
	}
	if _, err := bridge.Restore(ctx, i.cfg, copied); !errors.Is(err, os.ErrExist) {
		t.Errorf("over the database: %v", err)
	}
	i.close()

	plain := *i.cfg // the copy as somebody might start it
	plain.Database.URI = copied
	if _, err := bridge.New(ctx, &plain, "test", zerolog.Nop()); !errors.Is(err, database.ErrIsCopy) {
		t.Errorf("a copy was started: %v", err)
	}

	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(i.cfg.Database.URI + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	wrong := *i.cfg
	wrong.SecretKey = strings.Repeat("ab", 32)
	if _, err := bridge.Restore(ctx, &wrong, copied); !errors.Is(err, database.ErrWrongSecretKey) {
		t.Errorf("with another secret key: %v", err)
	}
	keyless := *i.cfg
	keyless.SecretKey, keyless.SecretKeyFile = "", filepath.Join(t.TempDir(), "postern.key")
	if _, err := bridge.Restore(ctx, &keyless, copied); !errors.Is(err, bridge.ErrNoKey) {
		t.Errorf("without the secret key: %v", err)
	}
	if lapsed, err := bridge.Restore(ctx, i.cfg, copied); err != nil || lapsed != 1 {
		t.Fatalf("%d, %v", lapsed, err)
	}
	i.open()
	if state := i.state(); state != database.Lapsed {
		t.Errorf("the user is %s", state)
	}
	client := i.daemon.Client(login)
	if client == nil || client.IsLoggedIn() {
		t.Fatalf("the user goes on with old keys: %v", client)
	}
	if from := i.daemon.Network().Restored; from.Made.IsZero() || from.Restored.Before(from.Made) {
		t.Errorf("the user is not told of the copy: %+v", from)
	}
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if client := i.daemon.Client(login); client == nil || !client.IsLoggedIn() {
		t.Error("whoever enlists again has no login")
	}
	if keys := i.server.Keys(); len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("enlisted %d times, with the same key: %v", len(keys), len(keys) == 2 && keys[0] == keys[1])
	}
}

func TestPostgresIsCopiedByItsOwnProgram(t *testing.T) {
	cfg := &config.Config{Database: config.Database{Type: config.Postgres, URI: "postgres://postern:hunter2@db.example.org/postern?sslmode=disable&password=hunter3"}}
	err := bridge.Backup(context.Background(), cfg, "copy.dump")
	if !errors.Is(err, bridge.ErrPostgres) || !strings.Contains(err.Error(), "pg_dump --format=custom --file=copy.dump 'postgres://postern@db.example.org/postern?sslmode=disable'") {
		t.Errorf("says %v", err)
	}
	if strings.Contains(err.Error(), "hunter") {
		t.Error("shows a password")
	}
	if _, err = bridge.Restore(context.Background(), cfg, "copy.dump"); !errors.Is(err, bridge.ErrNotSQLite) {
		t.Errorf("says %v", err)
	}
}

func TestOnlyADatabaseOfTheBridgeIsRestored(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	raw, err := database.Open(ctx, "sqlite", foreign, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = raw.Exec(ctx, "CREATE TABLE other (id INTEGER)"); err != nil {
		t.Fatal(err)
	}
	if err = raw.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Database: config.Database{Type: config.SQLite, URI: filepath.Join(dir, "postern.db")}, SecretKey: secret}
	if _, err = bridge.Restore(ctx, cfg, foreign); err == nil || !strings.Contains(err.Error(), "not a database that the bridge has used") {
		t.Errorf("got %v", err)
	}
	if _, err = bridge.RestoreInPlace(ctx, cfg); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "postern.db")); len(files) > 0 {
		t.Error("a database was made")
	}
}

func TestAMovedDatabaseIsNotStarted(t *testing.T) {
	ctx := context.Background()
	i := install(t)
	if _, err := bridge.Migrate(ctx, i.cfg, "postgres://localhost/nothing"); !errors.Is(err, database.ErrInUse) {
		t.Errorf("while the daemon runs: %v", err)
	}
	if err := i.daemon.Network().Database.KV().Set(ctx, "database.moved", []byte("postgres")); err != nil {
		t.Fatal(err)
	}
	i.close()
	if _, err := bridge.New(ctx, i.cfg, "test", zerolog.Nop()); !errors.Is(err, database.ErrMoved) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(i.cfg.Database.URI); err != nil {
		t.Fatal(err)
	}
	i.open() // for the end of the test
	postgres := &config.Config{Database: config.Database{Type: config.Postgres}}
	if _, err := bridge.Migrate(ctx, postgres, "postgres://localhost/nothing"); !errors.Is(err, bridge.ErrNotFromSQLite) {
		t.Errorf("got %v", err)
	}
}

// TestAnOlderProgramSaysWhichVersionItTakes: a daemon refuses a newer database, that of the Matrix library too.
func TestAnOlderProgramSaysWhichVersionItTakes(t *testing.T) {
	ctx := context.Background()
	i := install(t)
	cfg := *i.cfg
	cfg.Database.URI = filepath.Join(t.TempDir(), "newer.db")
	daemon, err := bridge.New(ctx, &cfg, "9.9.9", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err = daemon.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := database.Open(ctx, "sqlite", cfg.Database.URI, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	_, err = raw.Exec(ctx, "UPDATE crypto_version SET version = 999, compat = 999")
	if err = errors.Join(err, raw.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = bridge.New(ctx, &cfg, "1.0.0", zerolog.Nop())
	if !errors.Is(err, database.ErrNewerSchema) || !strings.Contains(err.Error(), `last used by Postern "9.9.9"`) {
		t.Errorf("got %v", err)
	}
}
