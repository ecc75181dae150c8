package connector_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"postern/bridge/audit"
	"postern/bridge/users"
	"postern/database"
)

// follow compares where alice stands with what a suspension makes of it.
func (i *installation) follow(when string, suspended bool) {
	i.t.Helper()
	client := i.network.Client(login)
	if client == nil || client.IsLoggedIn() == suspended || i.state() != database.Enlisted {
		i.t.Errorf("%s: client %v, state %q", when, client, i.state())
	}
	_, err := i.network.CreateLogin(context.Background(), i.user, wa)
	if (err != nil && strings.Contains(err.Error(), "it was spam")) != suspended {
		i.t.Errorf("%s, enlisting again gives: %v", when, err)
	}
}

func TestASuspendedUserIsOffUntilItEnds(t *testing.T) {
	i := install(t)
	ctx := context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	var told []string
	tell := func(user id.UserID, text string) { told = append(told, string(user)+": "+text) }
	i.network.TellInstead(tell)
	i.follow("before", false)
	if err := i.network.Suspend(ctx, alice, "it was spam."); err != nil {
		t.Fatal(err)
	}
	i.follow("suspended", true)
	if len(told) != 1 || !strings.Contains(told[0], string(alice)) || !strings.Contains(told[0], "it was spam. ") || !strings.Contains(told[0], "30 days") {
		t.Errorf("told: %q", told)
	}
	if err := i.network.Suspend(ctx, alice, "again"); !errors.Is(err, users.ErrSuspendedAlready) {
		t.Errorf("the second time: %v", err)
	}
	i.restart()
	i.network.TellInstead(tell)
	i.load()
	i.follow("after a restart", true)
	if len(told) != 1 {
		t.Errorf("told again: %q", told)
	}
	if err := i.network.Unsuspend(ctx, alice); err != nil {
		t.Fatal(err)
	}
	i.follow("over", false)
	if len(told) != 2 || !strings.Contains(told[1], "over") {
		t.Errorf("told: %q", told)
	}
	i.restart()
	i.load()
	i.follow("over, after a restart", false)
	kinds, err := i.network.AuditLog(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"consent @alice:example.org", "enlist @alice:example.org", "suspend @root:example.org", "unsuspend @root:example.org"}
	if !slices.Equal(kinds, want) {
		t.Errorf("the audit log says %q", kinds)
	}
}

func TestASuspensionFromTheCommandLineIsFollowed(t *testing.T) {
	i := install(t)
	ctx := context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	told, db := 0, i.network.Database
	i.network.TellInstead(func(id.UserID, string) { told++ })
	if err := users.Suspend(ctx, db, alice, "it was spam", audit.CommandLine); err != nil {
		t.Fatal(err)
	}
	i.follow("not seen yet", false)
	for range 2 {
		if err := i.network.FollowSuspensions(ctx); err != nil {
			t.Fatal(err)
		}
		i.follow("seen", true)
	}
	found, err := users.List(ctx, db, "suspended", 0, users.MaxListed)
	if err != nil || len(found) != 1 || found[0].User != string(alice) || found[0].Reason != "it was spam" || found[0].Suspended == nil {
		t.Errorf("the list is %+v, %v", found, err)
	}
	if err = users.Unsuspend(ctx, db, alice, audit.CommandLine); err != nil {
		t.Fatal(err)
	}
	if err = users.Unsuspend(ctx, db, alice, audit.CommandLine); !errors.Is(err, users.ErrNotSuspended) {
		t.Errorf("the second time: %v", err)
	}
	if err = i.network.FollowSuspensions(ctx); err != nil {
		t.Fatal(err)
	}
	i.follow("over", false)
	if told != 2 {
		t.Errorf("the user was told %d times", told)
	}
}

// TestAMessageThatIsSentAlreadyIsNotRefusedForALimit: the homeserver sends events again that were not answered.
func TestAMessageThatIsSentAlreadyIsNotRefusedForALimit(t *testing.T) {
	i := install(t)
	i.cfg.Limits.MessagesPerDay, i.cfg.Limits.FilesPerDay = 3, 1
	i.restart()
	ctx := context.Background()
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	client := i.network.Client(login)
	for n, test := range []struct {
		file    bool
		allowed bool
	}{{true, true}, {false, true}, {true, false}, {false, false}} {
		err := client.Allow(ctx, "new", test.file)
		if (err == nil) != test.allowed || (err != nil && !strings.Contains(err.Error(), "limit")) {
			t.Errorf("message %d: %v", n, err)
		}
	}
	if err := client.KeepInOutbox(ctx, "sent"); err != nil {
		t.Fatal(err)
	}
	if err := client.Allow(ctx, "sent", false); err != nil {
		t.Errorf("one that is in the outbox: %v", err)
	}
}
