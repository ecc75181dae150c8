package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
)

// daemonLock is the PostgreSQL advisory lock of the one daemon that uses a database. The number is arbitrary ("post" + 1).
const daemonLock = upgradeLock + 1

// lockSuffix names the file beside an SQLite database that the daemon locks. It stays when nobody does.
const lockSuffix = ".lock"

const (
	// keepPause is the time between two looks whether the lock is still there, and keepTimeout how long one may take.
	keepPause   = 30 * time.Second
	keepTimeout = 10 * time.Second
)

// ErrInUse: a daemon runs on the database, or a command that must be alone on it.
var ErrInUse = errors.New("the database is in use by a running Postern; stop it first")

// Held is the lock of a database, see [Lock]. Its methods are safe for concurrent use.
type Held struct {
	file func() error // ends SQLite's; nil on PostgreSQL
	raw  *dbutil.Database

	lock sync.Mutex
	// conn has PostgreSQL's, which belongs to a connection that nobody else gets meanwhile. nil while it is lost, and after Release.
	conn     *sql.Conn
	session  session // of conn, also after it was lost
	released bool
}

// session names a connection at the server, and no other of any server's: process ids are used again.
type session struct {
	pid   int
	began time.Time
}

// Lock makes sure that nobody else who asks for it uses the database that Open opened with uri: two daemons would use the
// same encryption keys. It ends with Release, with the process, or, on PostgreSQL, with the connection: see Keep. Errors: [ErrInUse].
//
// Commands that only look, or that do what may happen at any time, need no lock.
func Lock(ctx context.Context, raw *dbutil.Database, uri string) (*Held, error) {
	if raw.Dialect == dbutil.SQLite {
		release, err := lockFile(sqlitePath(uri) + lockSuffix)
		if err != nil {
			return nil, err
		}
		return &Held{file: release}, nil
	}
	held := &Held{raw: raw}
	if locked, err := held.connect(ctx); err != nil {
		return nil, err
	} else if !locked {
		return nil, ErrInUse
	}
	return held, nil
}

// Release ends the lock. It may be called before or after the database is closed, and again.
func (h *Held) Release() error {
	if h.file != nil {
		return h.file()
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	h.released = true
	if h.conn == nil {
		return nil
	}
	conn := h.conn
	h.conn = nil
	// The connection may go back to the pool, so the lock has to go before; if that fails, the connection does not go back.
	if _, err := conn.ExecContext(context.Background(), "SELECT pg_advisory_unlock($1)", int64(daemonLock)); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		return nil
	}
	return conn.Close()
}

// Keep takes the lock again whenever it was lost, which happens on PostgreSQL if the server restarts, or another takes its place. It
// returns nil when ctx ends, and [ErrInUse] if somebody else was faster: the caller must not use the database any more then.
func (h *Held) Keep(ctx context.Context) error { return h.keep(ctx, keepPause) }

func (h *Held) keep(ctx context.Context, pause time.Duration) error {
	if h.file != nil {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := h.look(ctx)
		if errors.Is(err, ErrInUse) {
			return err
		} else if err != nil && ctx.Err() == nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("The lock of the database was lost with its connection, trying again")
		}
	}
}

func (h *Held) look(ctx context.Context) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if h.released || h.conn != nil && h.conn.PingContext(ctx) == nil {
		return nil
	}
	if h.conn != nil {
		_ = h.conn.Close() // the error is that of the ping
		h.conn = nil
	}
	locked, err := h.connect(ctx)
	if err != nil {
		return err
	} else if !locked {
		return h.endOwn(ctx)
	}
	zerolog.Ctx(ctx).Info().Msg("The database is locked again")
	return nil
}

// connect takes a connection and the lock with it. locked is false if somebody else has the lock.
func (h *Held) connect(ctx context.Context) (locked bool, err error) {
	conn, err := h.raw.RawDB.Conn(ctx)
	if err != nil {
		return false, fmt.Errorf("failed to lock the database: %w", err)
	}
	var is session
	err = conn.QueryRowContext(ctx, `SELECT pid, backend_start, pg_try_advisory_lock($1) FROM pg_stat_activity WHERE pid = pg_backend_pid()`,
		int64(daemonLock)).Scan(&is.pid, &is.began, &locked)
	if err != nil {
		return false, errors.Join(fmt.Errorf("failed to lock the database: %w", err), conn.Close())
	} else if !locked {
		return false, conn.Close()
	}
	h.conn, h.session = conn, is
	return true, nil
}

// endOwn looks who has the lock. Our own connection of before may have it, if the server has not noticed yet that nobody is at its other end:
// that one is ended, so that the next look can have the lock.
func (h *Held) endOwn(ctx context.Context) error {
	var holder session
	err := h.raw.RawDB.QueryRowContext(ctx, `
		SELECT activity.pid, backend_start FROM pg_locks JOIN pg_stat_activity AS activity ON activity.pid = pg_locks.pid
		WHERE locktype = 'advisory' AND database = datid AND datname = current_database() AND objid::bigint = $1 AND granted`,
		int64(daemonLock)).Scan(&holder.pid, &holder.began)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errJustFree
	case err != nil:
		return fmt.Errorf("failed to look who has locked the database: %w", err)
	case holder.pid != h.session.pid || !holder.began.Equal(h.session.began):
		return ErrInUse
	}
	if _, err = h.raw.RawDB.ExecContext(ctx, "SELECT pg_terminate_backend($1)", holder.pid); err != nil {
		return fmt.Errorf("failed to end the connection that locks the database: %w", err)
	}
	return errOwnSession
}

// Both mean that the next look will have the lock.
var (
	errOwnSession = errors.New("the connection of before had the lock and was ended")
	errJustFree   = errors.New("nobody has the lock any more")
)
