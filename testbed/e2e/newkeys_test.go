package e2e_test

import (
	"context"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types/events"

	"postern/testbed/matrixuser"
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
	restartWithoutDatabase(t, ctx, s)

	// The bridge does not know either which room is the user's own with the bot.
	alice.commandsAgain(t, ctx, "!postern set-management-room", "updated")
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

// commandsAgain writes to the bot until it answers with the words. The bot has a new device, and what the user's app wrote before it
// knew of that cannot be read: the bot then asks for it to be sent again.
func (u *bridgeUser) commandsAgain(t *testing.T, ctx context.Context, text, words string) {
	t.Helper()
	for ctx.Err() == nil {
		mark := u.Mark()
		if _, err := u.SendText(ctx, u.Management, text); err != nil {
			t.Fatal(err)
		}
		answer, err := u.WaitAfter(ctx, mark, "answer to "+text, matrixuser.MessageIn(u.Management, u.stack.Bot(), ""))
		if err != nil {
			t.Fatal(err)
		}
		if body := answer.Content.AsMessage().Body; strings.Contains(body, words) {
			return
		} else if !strings.Contains(body, "send it again") {
			t.Fatalf("the bot says %q", body)
		}
	}
}
