package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	_ "github.com/lib/pq" // registers the PostgreSQL driver
	"github.com/mattn/go-sqlite3"
	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream" // registers the SQLite drivers
)

const (
	// sqliteDriver syncs at every commit. The faster synchronous=NORMAL may lose the last commits when the power goes,
	// and what was sent or acknowledged by then cannot be taken back: a rolled back ratchet encrypts twice with one
	// message key, and a rolled back outbox loses a message that the homeserver was told we have.
	sqliteDriver = "sqlite3-fk-wal-fullsync"
	// sqliteStatements is how many prepared statements each connection keeps: all of ours and bridgev2's that run
	// often. Without, SQLite compiles every query anew.
	sqliteStatements = 128
	// sqliteConns: one writer at a time is all that SQLite has. Several connections do not wait in line for that but poll,
	// with pauses of up to 100 ms, and starve each other. Measured with 8 writers on a disk: with 4 connections 0.96 ms a
	// message and 1.3 s for the slowest, with one 0.53 ms and 19 ms.
	sqliteConns = 1

	postgresConns = 16
	connIdleTime  = 5 * time.Minute

	// openRetry and openTimeout: see connect.
	openRetry   = 20 * time.Millisecond
	openTimeout = 10 * time.Second
)

// ErrUnknownType: the database is neither SQLite nor PostgreSQL.
var ErrUnknownType = errors.New(`unknown database type; use "sqlite" or "postgres"`)

// Open opens a database the way that ours is meant to be: see the constants for what it sets and why. kind is "sqlite"
// with a path or a file: URI, or "postgres" with a connection string or URL. A new SQLite file gets mode 0600. bridgev2
// and this package may share the result; the caller closes it. The database was reached when Open returns.
func Open(ctx context.Context, kind, uri string, log zerolog.Logger) (*dbutil.Database, error) {
	pool := dbutil.PoolConfig{ConnMaxIdleTime: connIdleTime.String()}
	switch kind {
	case "sqlite":
		fullURI, err := sqliteURI(uri)
		if err != nil {
			return nil, err
		}
		pool.Type, pool.URI = sqliteDriver, fullURI
		pool.MaxOpenConns, pool.MaxIdleConns = sqliteConns, sqliteConns
		pool.ConnMaxIdleTime = "" // a connection's statements are worth more than its memory
	case "postgres":
		pool.Type, pool.URI = "postgres", uri
		pool.MaxOpenConns, pool.MaxIdleConns = postgresConns, postgresConns
	default:
		return nil, ErrUnknownType
	}
	// With one connection, a query that forgets the context of the transaction around it waits for itself for ever. The
	// detection makes that a panic.
	config := dbutil.Config{PoolConfig: pool, DeadlockDetection: kind == "sqlite"}
	db, err := dbutil.NewFromConfig("", config, dbutil.ZeroLogger(log))
	if err != nil {
		return nil, fmt.Errorf("failed to open the %s database: %w", kind, err)
	}
	if err = connect(ctx, db.RawDB); err != nil {
		return nil, errors.Join(fmt.Errorf("failed to connect to the %s database: %w", kind, err), db.Close())
	}
	return db, nil
}

// connect makes the first connection alone. It is the one that switches a new SQLite file to write-ahead logging, and SQLite
// does not let others wait while that happens: it tells them at once that the database is locked. Other connections of
// this process come later; for those of other processes there are a few more tries.
func connect(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		var locked sqlite3.Error
		if !errors.As(err, &locked) || locked.Code != sqlite3.ErrBusy {
			return err
		}
		select {
		case <-time.After(openRetry):
		case <-ctx.Done():
			return err
		}
	}
}

const filePrefix = "file:"

// sqlitePath is the name of the file that a path or file: URI means.
func sqlitePath(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return strings.TrimPrefix(path, filePrefix)
}

// sqliteURI completes a path or file: URI, keeps what the admin set, and makes a new file with its mode. A file that is
// there is not touched: closing it here would drop the locks that this process has on it.
func sqliteURI(uri string) (string, error) {
	path, query, _ := strings.Cut(uri, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("failed to parse the database URI: %w", err)
	}
	for name, value := range map[string]string{
		"_txlock":          "immediate", // a transaction that reads first cannot fail half way for lack of the lock
		"_stmt_cache_size": strconv.Itoa(sqliteStatements),
		"_secure_delete":   "fast", // erased rows are overwritten where that costs no extra write
	} {
		if !values.Has(name) {
			values.Set(name, value)
		}
	}
	if filename := strings.TrimPrefix(path, filePrefix); filename != ":memory:" && !values.Has("mode") {
		file, err := os.OpenFile(filename, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			err = file.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("failed to make the database file: %w", err)
		}
	}
	return path + "?" + values.Encode(), nil
}
