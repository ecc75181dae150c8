package bridge_test

import (
	"context"
	"errors"
	"testing"

	"postern/bridge"
)

// TestAnAdminSuspendsBesideTheDaemon: what the command line stores, and what it refuses.
func TestAnAdminSuspendsBesideTheDaemon(t *testing.T) {
	i, ctx := install(t), context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if err := bridge.SuspendUser(ctx, i.cfg, alice, "it was spam"); err != nil {
		t.Fatal(err)
	}
	if err := bridge.SuspendUser(ctx, i.cfg, alice, "again"); !errors.Is(err, bridge.ErrSuspendedAlready) {
		t.Errorf("the second time: %v", err)
	}
	if err := bridge.SuspendUser(ctx, i.cfg, "@alice:elsewhere.org", "it was spam"); err == nil {
		t.Error("somebody of another server was suspended")
	}
	users, err := bridge.ListUsers(ctx, i.cfg, "suspended")
	if err != nil || len(users) != 1 || users[0].User != string(alice) || users[0].Reason != "it was spam" || users[0].Suspended == nil {
		t.Errorf("the list is %+v, %v", users, err)
	}
	if err = bridge.UnsuspendUser(ctx, i.cfg, alice); err != nil {
		t.Fatal(err)
	}
	if err = bridge.UnsuspendUser(ctx, i.cfg, alice); !errors.Is(err, bridge.ErrNotSuspended) {
		t.Errorf("the second time: %v", err)
	}
}
