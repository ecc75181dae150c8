package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"postern/testbed/matrixuser"
	"postern/testbed/postgres"
	"postern/testbed/stack"
)

// TestABackupIsPutBackWithNewKeys: a copy is made while the bridge runs, messages go on, and then the database is lost. The copy is not
// started as it is. Put in place with the command, it makes the user enlist again, under new keys, and the chat goes on in its
// room.
func TestABackupIsPutBackWithNewKeys(t *testing.T) {
	if postgres.Chosen() {
		t.Skip("PostgreSQL is copied by its own programs")
	}
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 2)
	room := chatted(t, ctx, s, alice, bob)
	address := alice.Address

	backup := filepath.Join(s.Dir("bridge"), "copy")
	if said, err := s.Bridge.Run(ctx, "backup", "--output", backup); err != nil || !strings.Contains(said, "wrote "+backup) {
		t.Fatalf("said %q, %v", said, err)
	}
	// What comes now is in no copy.
	there, back := unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, back)
	alice.receives(t, ctx, back)
	if said, err := s.Bridge.Run(ctx, "restore", backup); err == nil || !strings.Contains(said, "move it away first") {
		t.Errorf("restores over a running bridge: %q, %v", said, err)
	}
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	loseDatabase(t, ctx, s)

	// Somebody copies the backup to where the database was.
	database := filepath.Join(s.Dir("bridge"), databaseFile)
	content := must(os.ReadFile(backup))(t)
	if err := os.WriteFile(database, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := s.Bridge.Run(ctx, "run"); err == nil || !strings.Contains(said, "`postern restore`") {
		t.Errorf("starts an old copy: %q, %v", said, err)
	}
	loseDatabase(t, ctx, s)

	if said, err := s.Bridge.Run(ctx, "restore", backup); err != nil || !strings.Contains(said, "renew with `login`: 1") {
		t.Fatalf("said %q, %v", said, err)
	}
	restored := alice.Mark()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := alice.WaitAfter(ctx, restored, "notice about the backup", matrixuser.MessageIn(alice.Management, s.Bot(), "put back from a backup"))
	if err != nil {
		t.Error(err)
	}
	mark := bob.Device().Mark()
	alice.commandsAgain(t, ctx, "help", "login")
	if err = alice.Enlist(ctx); err != nil {
		t.Fatal(err)
	}
	if alice.Address != address {
		t.Errorf("the contact knows the user as %s and now as %s", address, alice.Address)
	}
	_, err = bob.Device().WaitAfter(ctx, mark, "identity change", func(evt any) bool {
		change, ok := evt.(*events.IdentityChange)
		return ok && change.JID.ToNonAD() == address.ToNonAD()
	})
	if err != nil {
		t.Error(err)
	}
	there, back = unique("there"), unique("back")
	tells(t, ctx, bob, alice, back)
	if next := alice.receives(t, ctx, back).RoomID; next != room {
		t.Errorf("the chat goes on in %s", next)
	}
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
}
