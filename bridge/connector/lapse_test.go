package connector_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/bridge/connector"
)

// TestWhoLapsedByARestoreIsToldOfTheBackup, and who enlisted after it is not.
func TestWhoLapsedByARestoreIsToldOfTheBackup(t *testing.T) {
	made := time.Date(2026, 5, 4, 3, 2, 0, 0, time.UTC)
	for _, test := range []struct {
		restored time.Duration // after the enlistment
		told     string
	}{{time.Hour, "put back from a backup of 2026-05-04 03:02 UTC"}, {-time.Hour, "no longer knows you"}} {
		i := install(t)
		if _, err := i.answer("yes"); err != nil {
			t.Fatal(err)
		}
		if err := i.network.AllEnlistments().MarkLapsed(context.Background(), i.enlistment().Account); err != nil {
			t.Fatal(err)
		}
		i.restored = connector.Origin{Made: made, Restored: time.Now().Add(test.restored)}
		i.restart()
		state := connector.LapsedState(i.network.Client(login))
		if !strings.Contains(state.Message, test.told) || !strings.Contains(state.Message, "`login wa`") {
			t.Errorf("restored after %s: the user is told %q", test.restored, state.Message)
		}
	}
}
