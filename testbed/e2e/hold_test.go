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
	"postern/testbed/postgres"
	"postern/testbed/stack"
)

// onlySQLite skips a test that holds writes with triggers as only SQLite has them.
func onlySQLite(t *testing.T) {
	t.Helper()
	if postgres.Chosen() {
		t.Skip("writes are held with triggers of SQLite")
	}
}

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

// hold makes the bridge stand still in the middle of a write, such as "UPDATE ON postern_enlistment WHEN NEW.told", so that it can be
// killed there: a trigger begins to count and never ends.
func (d *bridgeDatabase) hold(t *testing.T, ctx context.Context, write string) {
	t.Helper()
	for _, statement := range []string{
		"CREATE VIEW hold AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
		"CREATE TRIGGER hold_here BEFORE " + write + " BEGIN SELECT COUNT(*) FROM hold; END",
	} {
		if _, err := d.raw.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	// heldPause is the time between two looks whether the bridge stands still, and heldFor how often it must have been found so: a
	// write takes milliseconds, so one that has not ended after that will not.
	heldPause = 50 * time.Millisecond
	heldFor   = 20
)

// waitHeld waits until the bridge stands still: nobody else can write then.
func (d *bridgeDatabase) waitHeld(t *testing.T, ctx context.Context) {
	t.Helper()
	conn := must(d.raw.RawDB.Conn(ctx))(t)
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

// release takes the trap away. The bridge must have been killed.
func (d *bridgeDatabase) release(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, statement := range []string{"DROP TRIGGER hold_here", "DROP VIEW hold"} {
		if _, err := d.raw.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
}

// killAt lets the bridge come to a write, kills it there and starts it again.
func killAt(t *testing.T, ctx context.Context, s *stack.Stack, write string, lead func()) {
	t.Helper()
	db := openBridgeDatabase(t, ctx, s)
	db.hold(t, ctx, write)
	lead()
	db.waitHeld(t, ctx)
	s.Bridge.Kill()
	db.release(t, ctx)
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}
