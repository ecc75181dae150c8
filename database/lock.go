package database

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// daemonLock is the PostgreSQL advisory lock of the one daemon that uses a database. The number is arbitrary ("post" + 1).
const daemonLock = upgradeLock + 1

// lockSuffix names the file beside an SQLite database that the daemon locks. It stays when nobody does.
const lockSuffix = ".lock"

// ErrInUse: a daemon runs on the database, or a command that must be alone on it.
var ErrInUse = errors.New("the database is in use by a running Postern; stop it first")

// Lock makes sure that nobody else who asks for it uses the database that Open opened with uri: two daemons would use the
// same encryption keys. It ends with release, which may be called before or after raw is closed, with the process, or, on
// PostgreSQL, with the connection. Errors: [ErrInUse].
//
// Commands that only look, or that do what may happen at any time, need no lock.
func Lock(ctx context.Context, raw *dbutil.Database, uri string) (release func() error, err error) {
	if raw.Dialect == dbutil.SQLite {
		return lockFile(sqlitePath(uri) + lockSuffix)
	}
	// The lock belongs to a connection, which nobody else gets meanwhile.
	conn, err := raw.RawDB.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to lock the database: %w", err)
	}
	var locked bool
	if err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(daemonLock)).Scan(&locked); err != nil {
		return nil, errors.Join(fmt.Errorf("failed to lock the database: %w", err), conn.Close())
	} else if !locked {
		return nil, errors.Join(ErrInUse, conn.Close())
	}
	return func() error {
		// The connection may go back to the pool, so the lock has to go before.
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(daemonLock))
		return errors.Join(err, conn.Close())
	}, nil
}
