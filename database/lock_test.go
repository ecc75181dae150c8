package database_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/pgtest"
)

func TestOnlyOneDaemonUsesADatabase(t *testing.T) {
	ctx := context.Background()
	test := func(t *testing.T, uri string, open func() *dbutil.Database) {
		first, second := open(), open()
		lock, err := database.Lock(ctx, first, uri)
		check(t, err)
		if _, err = database.Lock(ctx, second, uri); !errors.Is(err, database.ErrInUse) {
			t.Errorf("a second lock: %v", err)
		}
		check(t, lock.Release())
		if lock, err = database.Lock(ctx, second, uri); err != nil {
			t.Fatalf("after the first was released: %v", err)
		}
		check(t, second.Close()) // as a stop of the daemon does it
		check(t, lock.Release())
		lock, err = database.Lock(ctx, first, uri)
		check(t, err)
		check(t, lock.Release())
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

// keptLock is a lock that is kept, and a second connection to the same database.
type keptLock struct {
	uri    string
	other  *dbutil.Database
	failed chan error
}

// newKeptLock returns nil if there is no PostgreSQL.
func newKeptLock(t *testing.T) *keptLock {
	ctx, cancel := context.WithCancel(context.Background())
	k := &keptLock{uri: pgtest.URI(t), failed: make(chan error, 1)}
	if k.uri == "" {
		cancel()
		return nil
	}
	k.other = k.open(t)
	lock, err := database.Lock(ctx, k.open(t), k.uri)
	check(t, err)
	go func() { k.failed <- database.KeepEvery(lock, ctx, time.Millisecond) }()
	t.Cleanup(func() {
		cancel()
		if err := <-k.failed; err != nil {
			t.Error(err)
		}
		check(t, lock.Release())
		check(t, lock.Release()) // again
	})
	return k
}

func (k *keptLock) open(t *testing.T) *dbutil.Database {
	raw, err := database.Open(context.Background(), "postgres", k.uri, zerolog.Nop())
	check(t, err)
	t.Cleanup(func() { _ = raw.Close() })
	return raw
}

// holder returns the connection that has the lock, 0 if none.
func (k *keptLock) holder(t *testing.T) (pid int) {
	err := k.other.QueryRow(context.Background(), `SELECT COALESCE(MAX(pid), 0) FROM pg_locks JOIN pg_database ON pg_database.oid = database
		WHERE locktype = 'advisory' AND datname = current_database() AND granted`).Scan(&pid)
	check(t, err)
	return pid
}

// end ends the connection that has the lock, as a server does that restarts.
func (k *keptLock) end(t *testing.T) (pid int) {
	pid = k.holder(t)
	_, err := k.other.Exec(context.Background(), "SELECT pg_terminate_backend($1, 10000)", pid)
	check(t, err)
	return pid
}

func TestALockThatWasLostIsTakenAgain(t *testing.T) {
	k := newKeptLock(t)
	if k == nil {
		return
	}
	for range 3 {
		before := k.end(t)
		for now := before; now == before || now == 0; now = k.holder(t) {
			select {
			case err := <-k.failed:
				t.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
	}
}

func TestALockThatSomebodyElseTookMeanwhileIsTold(t *testing.T) {
	k := newKeptLock(t)
	if k == nil {
		return
	}
	// The other waits for the lock, so it is faster than whoever has to connect first.
	conn, err := k.other.RawDB.Conn(context.Background())
	check(t, err)
	defer conn.Close()
	locked := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(context.Background(), "SELECT pg_advisory_lock(objid::bigint) FROM pg_locks WHERE locktype = 'advisory' LIMIT 1")
		locked <- err
	}()
	for waiting := 0; waiting == 0; {
		err = k.other.QueryRow(context.Background(), "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting)
		check(t, err)
	}
	k.end(t)
	check(t, <-locked)
	if err = <-k.failed; !errors.Is(err, database.ErrInUse) {
		t.Errorf("got %v", err)
	}
	k.failed <- nil // for the cleanup
}

// TestALockThatTheServerStillGivesToALostConnectionIsTakenFromIt: the server has not noticed that nobody is at the other end.
func TestALockThatTheServerStillGivesToALostConnectionIsTakenFromIt(t *testing.T) {
	ctx := context.Background()
	uri := pgtest.URI(t)
	if uri == "" {
		return
	}
	raw, err := database.Open(ctx, "postgres", uri, zerolog.Nop())
	check(t, err)
	defer raw.Close()
	lock, err := database.Lock(ctx, raw, uri)
	check(t, err)
	lost := database.LoseConnection(lock)
	defer lost.Close()
	ctx, cancel := context.WithCancel(ctx)
	kept := make(chan error, 1)
	go func() { kept <- database.KeepEvery(lock, ctx, time.Millisecond) }()
	for !database.HasConnection(lock) {
		select {
		case err := <-kept:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	check(t, <-kept)
	check(t, lock.Release())
}
