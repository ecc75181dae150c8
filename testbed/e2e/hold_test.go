package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/testbed/stack"
)

// bridgeDatabase is the bridge's database, opened beside it.
type bridgeDatabase struct{ raw *dbutil.Database }

func openBridgeDatabase(t *testing.T, ctx context.Context, s *stack.Stack) *bridgeDatabase {
	t.Helper()
	return &bridgeDatabase{openDatabase(t, ctx, s)}
}

// databasePoll is how often the database is looked at: it gives no sign of changes.
const databasePoll = 10 * time.Millisecond

// waitState waits until the user's enlistment is in a state.
func (d *bridgeDatabase) waitState(t *testing.T, ctx context.Context, user id.UserID, want database.EnlistmentState) {
	t.Helper()
	for {
		var state database.EnlistmentState
		err := d.raw.QueryRow(ctx, "SELECT state FROM postern_enlistment WHERE user_id = $1", user).Scan(&state)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			t.Fatal(err)
		} else if state == want {
			return
		}
		select {
		case <-time.After(databasePoll):
		case <-ctx.Done():
			t.Fatalf("the enlistment is %q and not %q", state, want)
		}
	}
}

// trap makes the bridge stand still in the middle of a write, so that it can be killed there.
type trap interface {
	// set takes what to write, such as "UPDATE ON postern_enlistment", and when, such as "NEW.told", or "" for always.
	set(t *testing.T, ctx context.Context, write, when string)
	// wait waits until the bridge stands still.
	wait(t *testing.T, ctx context.Context)
	// remove takes the trap away. The bridge must have been killed.
	remove(t *testing.T, ctx context.Context)
}

func (d *bridgeDatabase) newTrap() trap {
	if d.raw.Dialect == dbutil.Postgres {
		return &lockTrap{raw: d.raw}
	}
	return &countTrap{raw: d.raw}
}

// killAt lets the bridge come to a write, such as "UPDATE ON postern_enlistment WHEN NEW.told", kills it there and starts it again.
func killAt(t *testing.T, ctx context.Context, s *stack.Stack, write string, lead func()) {
	t.Helper()
	write, when, _ := strings.Cut(write, " WHEN ")
	trap := openBridgeDatabase(t, ctx, s).newTrap()
	trap.set(t, ctx, write, when)
	lead()
	trap.wait(t, ctx)
	s.Bridge.Kill()
	trap.remove(t, ctx)
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

func execute(t *testing.T, ctx context.Context, raw *dbutil.Database, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := raw.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
}

// countTrap is SQLite's: a trigger begins to count and never ends.
type countTrap struct{ raw *dbutil.Database }

func (c *countTrap) set(t *testing.T, ctx context.Context, write, when string) {
	t.Helper()
	if when != "" {
		write += " WHEN " + when
	}
	execute(t, ctx, c.raw,
		"CREATE VIEW hold AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
		"CREATE TRIGGER hold_here BEFORE "+write+" BEGIN SELECT COUNT(*) FROM hold; END",
	)
}

const (
	// heldPause is the time between two looks whether the bridge stands still, and heldFor how often it must have been found so: a
	// write takes milliseconds, so one that has not ended after that will not.
	heldPause = 50 * time.Millisecond
	heldFor   = 20
)

// wait finds that nobody else can write.
func (c *countTrap) wait(t *testing.T, ctx context.Context) {
	t.Helper()
	conn := must(c.raw.RawDB.Conn(ctx))(t)
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 1"); err != nil {
		t.Fatal(err)
	}
	for held := 0; held < heldFor; {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		switch {
		case err == nil:
			held = 0
			_, err = conn.ExecContext(ctx, "ROLLBACK")
		case strings.Contains(err.Error(), "locked"):
			held, err = held+1, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-time.After(heldPause):
		case <-ctx.Done():
			t.Fatalf("the bridge does not come to where it is to be held: %v", ctx.Err())
		}
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", (10*time.Second).Milliseconds())); err != nil {
		t.Fatal(err)
	}
}

func (c *countTrap) remove(t *testing.T, ctx context.Context) {
	t.Helper()
	execute(t, ctx, c.raw, "DROP TRIGGER hold_here", "DROP VIEW hold")
}

// lockTrap is PostgreSQL's: a trigger waits for an advisory lock that the test has.
type lockTrap struct {
	raw   *dbutil.Database
	conn  *sql.Conn // has the lock
	table string
}

// trapLock is the number of the lock, arbitrary.
const trapLock = "86000001"

func (l *lockTrap) set(t *testing.T, ctx context.Context, write, when string) {
	t.Helper()
	l.conn = must(l.raw.RawDB.Conn(ctx))(t)
	t.Cleanup(func() { _ = l.conn.Close() })
	if _, err := l.conn.ExecContext(ctx, "SELECT pg_advisory_lock("+trapLock+")"); err != nil {
		t.Fatal(err)
	}
	if when != "" {
		when = "WHEN (" + when + ") "
	}
	event, table, _ := strings.Cut(write, " ON ")
	l.table = table
	execute(t, ctx, l.raw,
		"CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock("+trapLock+");"+
			" IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'",
		"CREATE TRIGGER hold_here BEFORE "+event+" ON "+table+" FOR EACH ROW "+when+"EXECUTE FUNCTION hold()",
	)
}

func (l *lockTrap) wait(t *testing.T, ctx context.Context) {
	t.Helper()
	const waiting = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = " + trapLock + " AND NOT granted"
	for held := 0; held == 0; {
		if err := l.raw.QueryRow(ctx, waiting).Scan(&held); err != nil {
			t.Fatalf("the bridge does not come to where it is to be held: %v", err)
		}
		select {
		case <-time.After(databasePoll):
		case <-ctx.Done():
			t.Fatalf("the bridge does not come to where it is to be held: %v", ctx.Err())
		}
	}
}

// remove ends what the killed bridge began, too: the server does not notice by itself that nobody waits for the answer.
func (l *lockTrap) remove(t *testing.T, ctx context.Context) {
	t.Helper()
	execute(t, ctx, l.raw,
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' AND objid = "+trapLock+" AND NOT granted",
		"DROP TRIGGER hold_here ON "+l.table, "DROP FUNCTION hold()",
	)
	_, err := l.conn.ExecContext(ctx, "SELECT pg_advisory_unlock("+trapLock+")")
	if err = errors.Join(err, l.conn.Close()); err != nil {
		t.Fatal(err)
	}
}
