package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// asked waits for the invitation that a request is, and returns its room.
func (u *bridgeUser) asked(t *testing.T, ctx context.Context, who string) id.RoomID {
	t.Helper()
	name := u.sees(t, ctx, "invitation of "+who, func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.RoomNameEventContent)
		return ok && evt.Mautrix.EventSource&event.SourceInvite != 0 && strings.Contains(content.Name, who)
	})
	u.sees(t, ctx, "invitation", matrixuser.MembershipOf(name.RoomID, u.ID(), event.MembershipInvite))
	return name.RoomID
}

// delivered waits until the contact's phone shows a message as delivered.
func delivered(t *testing.T, ctx context.Context, contact *stack.Contact, message types.MessageID) {
	t.Helper()
	if err := contact.Device().WaitReceipt(ctx, message, types.ReceiptTypeDelivered); err != nil {
		t.Fatal(err)
	}
}

// taken waits until the bridge is done with a message of somebody who does not learn of it.
func taken(t *testing.T, ctx context.Context, s *stack.Stack, message types.MessageID) {
	t.Helper()
	if _, err := s.Gatekeeper.WaitSaw(ctx, 0, "the bridge's ack of a message", func(record sandbox.Record) bool {
		return record.Kind == "ack message" && record.ID == message
	}); err != nil {
		t.Fatal(err)
	}
}

// untilNobodyAsks asks the bot until it has heard of a rejection, of which nothing else tells.
func (u *bridgeUser) untilNobodyAsks(t *testing.T, ctx context.Context) {
	t.Helper()
	for {
		answer, err := u.Command(ctx, "requests", "ask")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(answer.Content.AsMessage().Body, "Nobody asks") {
			return
		}
	}
}

// fetched tells whether anybody has asked the media host for a file.
func fetched(t *testing.T, ctx context.Context, s *stack.Stack, path string) bool {
	t.Helper()
	for after := int64(0); ; {
		records := must(s.Gatekeeper.SawSoFar(ctx, after))(t)
		if len(records) == 0 {
			return false
		}
		for _, record := range records {
			if after = record.Seq; record.Kind == "media download" && strings.Contains(path, record.ID) {
				return true
			}
		}
	}
}

// sawAnything tells whether a phone has a receipt, or saw typing.
func sawAnything(contact *stack.Contact) bool {
	return slices.ContainsFunc(contact.Device().Since(0), func(evt any) bool {
		switch evt.(type) {
		case *events.Receipt, *events.ChatPresence:
			return true
		default:
			return false
		}
	})
}

// TestARequestShowsWhoAsksAndNothingMore: the invitation has name, number and gatekeeper; the file is not fetched, the picture
// neither; nobody is joined in the user's name. Joining brings all that was said, in its order.
func TestARequestShowsWhoAsksAndNothingMore(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newChoosy(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1)
	if err := s.Gatekeeper.SetPicture(ctx, bob.Phone, drawPicture(t)); err != nil {
		t.Fatal(err)
	}
	first := unique("first")
	tells(t, ctx, bob, alice, first)
	room := alice.asked(t, ctx, bob.Name)
	message, err := bob.Device().UploadMedia(ctx, whatsmeow.MediaImage, bytes.NewReader(jpegOf(t, 32, 24)), whatsapp.MediaOptions{MimeType: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
	path := message.GetImageMessage().GetDirectPath()
	file, err := bob.Device().Send(ctx, alice.Address, message)
	if err != nil {
		t.Fatal(err)
	}
	last := tells(t, ctx, bob, alice, unique("last"))
	taken(t, ctx, s, file)
	taken(t, ctx, s, last)

	for _, evt := range alice.Since(0) {
		if evt.RoomID != room {
			continue
		}
		switch content := evt.Content.Parsed.(type) {
		case *event.RoomNameEventContent:
			if content.Name != bob.Name && (!strings.Contains(content.Name, bob.Phone[:3]) || !strings.HasSuffix(content.Name, " on Sandbox (whatsapp)")) {
				t.Errorf("the invitation is called %q", content.Name)
			}
		case *event.BridgeEventContent:
			if !content.Channel.MessageRequest {
				t.Error("clients are not told that it is a request")
			}
		case *event.RoomAvatarEventContent:
			if content.URL != "" {
				t.Error("the invitation has a picture")
			}
		case *event.MemberEventContent:
			if evt.GetStateKey() == alice.ID().String() && content.Membership == event.MembershipJoin {
				t.Error("alice was joined")
			}
		case *event.MessageEventContent:
			t.Errorf("something was said: %s", evt.Type.Type)
		}
	}
	if fetched(t, ctx, s, path) {
		t.Error("the file was fetched before the request was accepted")
	}
	if sawAnything(bob) {
		t.Error("bob sees receipts or typing")
	}

	if err := alice.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "first message", matrixuser.MessageIn(room, "", first))
	if alice.sees(t, ctx, "picture", matrixuser.FileIn(room, "", event.MsgImage)); !fetched(t, ctx, s, path) {
		t.Error("this test does not see when a file is fetched")
	}
	alice.sees(t, ctx, "last message", matrixuser.MessageIn(room, "", "last"))
	delivered(t, ctx, bob, file)
	delivered(t, ctx, bob, last)
	var order []string
	for _, evt := range alice.Since(0) {
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok && evt.RoomID == room && evt.Type == event.EventMessage {
			order = append(order, string(content.MsgType)+content.Body[:min(5, len(content.Body))])
		}
	}
	if len(order) != 3 || !strings.Contains(order[0], "first") || !strings.Contains(order[2], "last") {
		t.Errorf("the messages came as %v", order)
	}
	alice.sees(t, ctx, "end of the request", func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.BridgeEventContent)
		return ok && evt.RoomID == room && !content.Channel.MessageRequest
	})
	alice.sees(t, ctx, "contact's own name", func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.RoomNameEventContent)
		return ok && evt.RoomID == room && content.Name == bob.Name
	})
	answer := unique("answer")
	alice.writes(t, ctx, room, answer)
	hears(t, ctx, bob, answer)
}

// TestDecliningIsFinalUntilItIsUndone: rejecting the invitation is enough.
func TestDecliningIsFinalUntilItIsUndone(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, eve := newChoosy(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1), newContact(t, ctx, s, unique("Eve"), 1)
	tells(t, ctx, eve, alice, unique("hello"))
	room := alice.asked(t, ctx, eve.Name)
	if err := alice.Reject(ctx, room); err != nil {
		t.Fatal(err)
	}
	alice.untilNobodyAsks(t, ctx)
	mark := alice.Mark()
	taken(t, ctx, s, tells(t, ctx, eve, alice, unique("again")))
	// What comes later from somebody else shows that nothing of hers is on its way.
	tells(t, ctx, bob, alice, unique("hello"))
	alice.asked(t, ctx, bob.Name)
	for _, evt := range alice.Since(mark) {
		if content, ok := evt.Content.Parsed.(*event.RoomNameEventContent); ok && strings.Contains(content.Name, eve.Name) {
			t.Error("a declined contact asks again")
		}
	}
	alice.command(t, ctx, "undecline "+eve.Phone, "can ask again")
	mark = alice.Mark()
	words := unique("third")
	tells(t, ctx, eve, alice, words)
	invited, err := alice.WaitAfter(ctx, mark, "new invitation", func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.RoomNameEventContent)
		return ok && strings.Contains(content.Name, eve.Name)
	})
	if err != nil {
		t.Fatal(err)
	}
	alice.command(t, ctx, "accept "+eve.Phone, "Accepted")
	alice.waitPortal(t, ctx, invited.RoomID)
	alice.sees(t, ctx, "third message", matrixuser.MessageIn(invited.RoomID, "", words))
	for _, old := range []string{"hello-", "again-"} {
		if slices.ContainsFunc(alice.Since(0), matrixuser.MessageIn(invited.RoomID, "", old)) {
			t.Errorf("what was declined appears: %s", old)
		}
	}
}

// TestRequestsByCommand: the list names who asks, and a decision takes the invitation back.
func TestRequestsByCommand(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newChoosy(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1)
	alice.command(t, ctx, "requests", "Nobody asks")
	tells(t, ctx, bob, alice, unique("hello"))
	room := alice.asked(t, ctx, bob.Name)
	alice.command(t, ctx, "requests", "accept "+bob.Phone)
	alice.command(t, ctx, "undecline "+bob.Phone, "did not decline")
	alice.command(t, ctx, "decline "+bob.Phone, "Declined")
	alice.sees(t, ctx, "end of the invitation", matrixuser.MembershipOf(room, alice.ID(), event.MembershipLeave))
	alice.command(t, ctx, "accept +49 170 0000000", "has not asked")
}

// TestWhoMayWrite: strangers are kept out, chats go on.
func TestWhoMayWrite(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, eve := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1), newContact(t, ctx, s, unique("Eve"), 1)
	room := alice.startChat(t, ctx, bob.Phone)
	alice.command(t, ctx, "settings who-may-write nobody", "nobody new")
	taken(t, ctx, s, tells(t, ctx, eve, alice, unique("hello")))
	words := unique("hello")
	tells(t, ctx, bob, alice, words)
	alice.sees(t, ctx, "message", matrixuser.MessageIn(room, "", words))
	alice.command(t, ctx, "requests", "Nobody asks")
}

// TestReadReceiptsAndTypingCanBeTurnedOff: what is told later shows that they were not told before.
func TestReadReceiptsAndTypingCanBeTurnedOff(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1)
	words := unique("first")
	first := tells(t, ctx, bob, alice, words)
	evt := alice.receives(t, ctx, words)
	alice.command(t, ctx, "settings read-receipts off", "do not see what you have read")
	alice.command(t, ctx, "settings typing off", "do not see when you are typing")
	if err := alice.MarkRead(ctx, evt.RoomID, evt.ID); err != nil {
		t.Fatal(err)
	}
	if err := alice.Typing(ctx, evt.RoomID, true); err != nil {
		t.Fatal(err)
	}
	answer := unique("answer")
	alice.writes(t, ctx, evt.RoomID, answer)
	hears(t, ctx, bob, answer)
	alice.command(t, ctx, "settings typing on", "see when you are typing")
	alice.command(t, ctx, "settings read-receipts on", "see when you have read")
	// The gatekeeper's clock counts seconds: what comes in the second of the change still counts as before.
	var second types.MessageID
	for changed := time.Now().Unix(); evt.Timestamp/1000 <= changed+1; {
		words = unique("second")
		second = tells(t, ctx, bob, alice, words)
		evt = alice.receives(t, ctx, words)
	}
	if err := alice.MarkRead(ctx, evt.RoomID, evt.ID); err != nil {
		t.Fatal(err)
	}
	if err := bob.Device().WaitReceipt(ctx, second, types.ReceiptTypeRead); err != nil {
		t.Fatal(err)
	}
	for _, evt := range bob.Device().Since(0) {
		switch evt := evt.(type) {
		case *events.Receipt:
			if evt.Type == types.ReceiptTypeRead && slices.Contains(evt.MessageIDs, first) {
				t.Error("a message counts as read that was read while receipts were off")
			}
		case *events.ChatPresence:
			t.Error("typing was told")
		}
	}
}

// TestAcceptedMessagesSurviveAKill: between the decision and the delivery.
func TestAcceptedMessagesSurviveAKill(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newChoosy(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1)
	const messages = 60
	var last types.MessageID
	for i := range messages {
		last = tells(t, ctx, bob, alice, fmt.Sprintf("message %02d.", i))
	}
	taken(t, ctx, s, last)
	room := alice.asked(t, ctx, bob.Name)
	if err := alice.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "third message", matrixuser.MessageIn(room, "", "message 03."))
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "last message", matrixuser.MessageIn(room, "", fmt.Sprintf("message %02d.", messages-1)))
	var seen []string
	for _, evt := range alice.Since(0) {
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok && evt.RoomID == room && strings.HasPrefix(content.Body, "message ") {
			seen = append(seen, content.Body)
		}
	}
	if len(seen) != messages || !slices.IsSorted(seen) {
		t.Errorf("%d messages came, sorted: %t", len(seen), slices.IsSorted(seen))
	}
}
