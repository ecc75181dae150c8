package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

var (
	// ErrIsCopy: the database is one that Backup made. Keys that were used since would be used again.
	ErrIsCopy = errors.New("the database is a backup; encryption keys that were used since it was made would be used again. " +
		"Put it in place with `postern restore`")
	// ErrDamaged: the file is no intact SQLite database.
	ErrDamaged = errors.New("the file is no database, or a damaged one")
)

// copyName is the value that tells that a database is a copy, and since when.
const copyName = "database.copy"

// Backup writes a consistent copy of an SQLite database to a new file with mode 0600, while others use and change the database. The
// copy is whole and synced when the name appears. It knows that it is a copy; see [Database.CopyMade]. db is the open
// database; its key opens the copy too.
func (db *Database) Backup(ctx context.Context, to string) (err error) {
	temporary, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*") // O_EXCL, mode 0600; SQLite takes an empty file
	if err != nil {
		return fmt.Errorf("failed to make the backup: %w", err)
	}
	path := temporary.Name()
	defer func() { err = errors.Join(err, removeDatabase(path)) }()
	if err = temporary.Close(); err != nil {
		return fmt.Errorf("failed to make the backup: %w", err)
	}
	if _, err = db.db.Exec(ctx, "VACUUM INTO $1", path); err != nil {
		return fmt.Errorf("failed to copy the database: %w", err)
	}
	err = withFile(ctx, path, func(raw *dbutil.Database) error {
		return New(raw, db.key, zerolog.Nop()).KV().Set(ctx, copyName, []byte(db.now().UTC().Format(time.RFC3339)))
	})
	if err != nil {
		return fmt.Errorf("failed to check the backup: %w", err)
	}
	return publish(path, to)
}

// CopyMade returns when the copy was made that this database is, zero if it is none.
func (db *Database) CopyMade(ctx context.Context) (time.Time, error) {
	value, err := db.KV().Get(ctx, copyName)
	if err != nil || value == nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339, string(value))
}

// Restore copies a backup to where an SQLite database is to be, which must not be there, and lets change make it usable. The name
// appears when all is done. Errors: [ErrDamaged], fs.ErrExist, and those of change.
func Restore(ctx context.Context, from, to string, change func(raw *dbutil.Database) error) (err error) {
	if _, err = os.Lstat(to); err == nil {
		return fmt.Errorf("%s: %w", to, fs.ErrExist)
	}
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("failed to open the backup: %w", err)
	}
	defer source.Close()
	temporary, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return fmt.Errorf("failed to copy the backup: %w", err)
	}
	path := temporary.Name()
	defer func() { err = errors.Join(err, removeDatabase(path)) }()
	_, err = io.Copy(temporary, source)
	if err = errors.Join(err, temporary.Close()); err != nil {
		return fmt.Errorf("failed to copy the backup: %w", err)
	}
	if err = withFile(ctx, path, change); err != nil {
		return err
	}
	return publish(path, to)
}

// withFile opens an SQLite file, checks that it is intact, and closes it after use, so that all of it is in the one file.
func withFile(ctx context.Context, path string, use func(raw *dbutil.Database) error) error {
	raw, err := Open(ctx, "sqlite", path, zerolog.Nop())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	var report string
	if err = raw.QueryRow(ctx, "PRAGMA integrity_check").Scan(&report); err != nil || report != "ok" {
		return errors.Join(fmt.Errorf("%w: %s", ErrDamaged, strings.TrimSpace(report)), err, raw.Close())
	}
	return errors.Join(use(raw), raw.Close())
}

// publish gives a file its name, if nothing has that name, and makes sure that it stays after a power cut.
func publish(path, name string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err = errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("failed to sync %s: %w", path, err)
	}
	if err = os.Link(path, name); err != nil {
		return fmt.Errorf("failed to give the file its name: %w", err)
	}
	return syncDir(filepath.Dir(name))
}

// removeDatabase removes an SQLite database, with what may be left beside it.
func removeDatabase(path string) error {
	var problems []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}
