package e2e_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
)

// TestASentMessageIsReported: the gatekeeper has it. Before that it is pending, which the test of outages shows.
func TestASentMessageIsReported(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	sent := alice.writes(t, ctx, room, unique("hello"))
	if _, err := alice.Wait(ctx, "success", matrixuser.StatusOf(sent, event.MessageStatusSuccess)); err != nil {
		t.Error(err)
	}
	// Clients that do not know status events show the bot's read receipt.
	if _, err := alice.Wait(ctx, "read receipt of the bot", matrixuser.ReadReceiptBy(s.Bot(), sent)); err != nil {
		t.Error(err)
	}
}

func TestReceiptsFromTheContactAreShown(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	hello := unique("hello")
	tells(t, ctx, bob, alice, hello)
	first := alice.receives(t, ctx, hello)
	room, ghost := first.RoomID, first.Sender
	alice.waitPortal(t, ctx, room)

	words := unique("read-me")
	sent := alice.writes(t, ctx, room, words)
	heard, err := bob.Device().WaitMessage(ctx, words)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "delivery", deliveredTo(sent)); err != nil {
		t.Error(err)
	}
	if err = bob.Device().MarkRead(ctx, heard.Info.Chat, heard.Info.ID); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "read receipt", matrixuser.ReadReceiptBy(ghost, sent)); err != nil {
		t.Error(err)
	}
}

func TestReceiptsFromTheUserAreShown(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	words := unique("hello")
	sent := tells(t, ctx, bob, alice, words)
	if err := bob.Device().WaitReceipt(ctx, sent, types.ReceiptTypeDelivered); err != nil {
		t.Error(err)
	}
	received := alice.receives(t, ctx, words)
	alice.waitPortal(t, ctx, received.RoomID)
	if err := alice.MarkRead(ctx, received.RoomID, received.ID); err != nil {
		t.Fatal(err)
	}
	if err := bob.Device().WaitReceipt(ctx, sent, types.ReceiptTypeRead); err != nil {
		t.Error(err)
	}
}

func TestTypingIsShownBothWays(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	words := unique("hello")
	tells(t, ctx, bob, alice, words)
	first := alice.receives(t, ctx, words)
	room, ghost := first.RoomID, first.Sender
	alice.waitPortal(t, ctx, room)

	if err := bob.Device().Typing(ctx, alice.Address, true); err != nil {
		t.Fatal(err)
	}
	typing, err := alice.Wait(ctx, "contact typing", matrixuser.TypingIn(room, ghost, true))
	if err != nil {
		t.Fatal(err)
	}
	if err = bob.Device().Typing(ctx, alice.Address, false); err != nil {
		t.Fatal(err)
	}
	seen := false
	if _, err = alice.Wait(ctx, "contact stopped typing", func(evt *event.Event) bool {
		seen = seen || evt == typing
		return seen && matrixuser.TypingIn(room, ghost, false)(evt)
	}); err != nil {
		t.Error(err)
	}

	mark := bob.Device().Mark()
	if err = alice.Typing(ctx, room, true); err != nil {
		t.Fatal(err)
	}
	if err = bob.Device().WaitTyping(ctx, mark, types.ChatPresenceComposing); err != nil {
		t.Error(err)
	}
	if err = alice.Typing(ctx, room, false); err != nil {
		t.Fatal(err)
	}
	if err = bob.Device().WaitTyping(ctx, mark, types.ChatPresencePaused); err != nil {
		t.Error(err)
	}
}

// deliveredTo matches the status that says that the contact's phone has a message.
func deliveredTo(sent id.EventID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.BeeperMessageStatusEventContent)
		return ok && content.RelatesTo.EventID == sent && content.DeliveredToUsers != nil && len(*content.DeliveredToUsers) > 0
	}
}
