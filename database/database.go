package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database/upgrades"
)

// versionTable holds our schema version. bridgev2 and the Matrix crypto store keep theirs under other names.
const versionTable = "postern_version"

// upgradeLock is the PostgreSQL advisory lock that lets one process upgrade at a time. The number is arbitrary ("post").
const upgradeLock = 0x706f7374

var (
	// ErrNewerSchema: a newer Postern wrote this database.
	ErrNewerSchema = errors.New("the database was written by a newer version of Postern; update the program, or restore a copy from before the update")
	// ErrOtherSchema: this program did not upgrade the database yet.
	ErrOtherSchema = errors.New("the database was not used by this version of Postern yet; start the bridge first")
	// ErrForeignKeysOff: erasing an account relies on cascades, which SQLite has to be told to do on every connection.
	ErrForeignKeysOff = errors.New("the SQLite connection does not enforce foreign keys; open it with the sqlite3-fk-wal-fullsync driver")
)

// Database is our part of the database that the bridge gave.
type Database struct{ core }

// New makes our part of db. The caller keeps ownership of db and closes it. Nothing is read or written before Upgrade.
func New(db *dbutil.Database, key SecretKey, log zerolog.Logger) *Database {
	child := db.Child(versionTable, upgrades.Table, dbutil.ZeroLogger(log))
	child.IgnoreUnsupportedDatabase = false
	return &Database{core{db: child, key: key, now: time.Now, log: log}}
}

// WithClock replaces the clock that stamps deliveries and returns the same Database. For tests.
func (db *Database) WithClock(now func() time.Time) *Database {
	db.now = now
	return db
}

// Now is the time that is stored with what has none of its own.
func (db *Database) Now() time.Time { return db.now() }

// Upgrade brings our own tables to the newest version and checks the secret key, in one transaction: it does all or nothing,
// and of two processes one waits. Must succeed before anything else is called.
//
// Errors: [ErrNewerSchema], [ErrWrongSecretKey], [ErrNoSecretKey], [ErrForeignKeysOff].
func (db *Database) Upgrade(ctx context.Context) error {
	if db.key.IsZero() {
		return ErrNoSecretKey
	}
	return db.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := db.prepareUpgrade(ctx); err != nil {
			return err
		}
		if err := db.db.Upgrade(ctx); errors.Is(err, dbutil.ErrUnsupportedDatabaseVersion) {
			return fmt.Errorf("%w: %w", ErrNewerSchema, err)
		} else if err != nil {
			return fmt.Errorf("failed to upgrade the database: %w", err)
		}
		return db.checkSecretKey(ctx)
	})
}

// Check is Upgrade for a program that works beside a daemon: it changes nothing, since a daemon of another version may be
// running. Errors: [ErrOtherSchema], [ErrNewerSchema], [ErrWrongSecretKey].
func (db *Database) Check(ctx context.Context) error {
	if exists, err := db.db.TableExists(ctx, versionTable); err != nil {
		return fmt.Errorf("failed to look for the version of the database: %w", err)
	} else if !exists {
		return ErrOtherSchema
	}
	var version int
	if err := db.db.QueryRow(ctx, "SELECT version FROM "+versionTable).Scan(&version); err != nil {
		return fmt.Errorf("failed to read the version of the database: %w", err)
	}
	switch {
	case version < len(upgrades.Table):
		return ErrOtherSchema
	case version > len(upgrades.Table):
		return db.newer(ctx, "bridge", version, len(upgrades.Table))
	}
	return db.checkSecretKey(ctx)
}

// prepareUpgrade takes the lock that PostgreSQL needs (an immediate transaction of SQLite is its own lock) and looks
// at what SQLite was opened with.
func (db *Database) prepareUpgrade(ctx context.Context) error {
	switch db.db.Dialect {
	case dbutil.Postgres:
		if _, err := db.db.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", upgradeLock); err != nil {
			return fmt.Errorf("failed to take the upgrade lock: %w", err)
		}
	case dbutil.SQLite:
		var on bool
		if err := db.db.QueryRow(ctx, "PRAGMA foreign_keys").Scan(&on); err != nil {
			return fmt.Errorf("failed to ask for foreign keys: %w", err)
		} else if !on {
			return ErrForeignKeysOff
		}
	}
	return nil
}
