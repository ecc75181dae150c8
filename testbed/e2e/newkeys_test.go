package e2e_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"postern/testbed/stack"
)

// TestABridgeThatLostItsDatabaseGoesOn: the secret key is still there, everything else is gone. The user enlists again and gets
// new keys, which the contact's app shows as a changed security code; messages go both ways, in a new room, since nobody
// knows the old one.
func TestABridgeThatLostItsDatabaseGoesOn(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 2)
	before := chatted(t, ctx, s, alice, bob)
	address := alice.Address
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	files := must(filepath.Glob(filepath.Join(s.Dir("bridge"), "postern.db*")))(t)
	if len(files) == 0 {
		t.Fatal("there is no database to lose")
	}
	for _, file := range files {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}

	// The bridge does not know either which room is the user's own with the bot.
	alice.command(t, ctx, "!postern set-management-room", "updated")
	mark := bob.Device().Mark()
	if err := alice.Enlist(ctx); err != nil {
		t.Fatal(err)
	}
	if alice.Address != address {
		t.Errorf("the contact knows the user as %s and now as %s", address, alice.Address)
	}
	_, err := bob.Device().WaitAfter(ctx, mark, "identity change", func(evt any) bool {
		change, ok := evt.(*events.IdentityChange)
		return ok && change.JID.ToNonAD() == address.ToNonAD()
	})
	if err != nil {
		t.Error(err)
	}

	there, back, again := unique("there"), unique("back"), unique("again")
	tells(t, ctx, bob, alice, back)
	room := alice.receives(t, ctx, back).RoomID
	if room == before {
		t.Error("the bridge knows a room that it cannot know")
	}
	alice.waitPortal(t, ctx, room)
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	tells(t, ctx, bob, alice, again)
	if next := alice.receives(t, ctx, again).RoomID; next != room {
		t.Errorf("the next message came into %s", next)
	}
}
