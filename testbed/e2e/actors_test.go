package e2e_test

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// unique returns a word that nothing else in the run contains.
func unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()[:10]) }

// bridgeUser is a Matrix user whose verbs fail the test.
type bridgeUser struct {
	*stack.BridgeUser
	stack *stack.Stack
}

// newUser registers a Matrix user with a chat with the bot.
func newUser(t *testing.T, ctx context.Context, s *stack.Stack, name string) *bridgeUser {
	t.Helper()
	user, err := s.NewBridgeUser(ctx, unique(name))
	if err != nil {
		t.Fatal(err)
	}
	return &bridgeUser{BridgeUser: user, stack: s}
}

// newEnlisted is newUser for one who enlists by talking to the bot, and accepts whoever asks to write to them.
func newEnlisted(t *testing.T, ctx context.Context, s *stack.Stack, name string) *bridgeUser {
	t.Helper()
	user := newChoosy(t, ctx, s, name)
	user.AcceptInvitations(s.Bot())
	return user
}

// newChoosy is newEnlisted for one who decides about every request.
func newChoosy(t *testing.T, ctx context.Context, s *stack.Stack, name string) *bridgeUser {
	t.Helper()
	user := newUser(t, ctx, s, name)
	if err := user.Enlist(ctx); err != nil {
		t.Fatal(err)
	}
	return user
}

// command writes to the bot and waits for an answer with the words.
func (u *bridgeUser) command(t *testing.T, ctx context.Context, text, words string) {
	t.Helper()
	if _, err := u.Command(ctx, text, words); err != nil {
		t.Fatal(err)
	}
}

// startChat begins a chat by phone number and returns its room, which the user is in.
func (u *bridgeUser) startChat(t *testing.T, ctx context.Context, phone string) id.RoomID {
	t.Helper()
	room, err := u.StartChat(ctx, phone)
	if err != nil {
		t.Fatal(err)
	}
	return room
}

// waitPortal waits until the user is in the room, which double puppeting does, and knows that it is encrypted.
func (u *bridgeUser) waitPortal(t *testing.T, ctx context.Context, room id.RoomID) {
	t.Helper()
	if err := u.WaitInChat(ctx, room); err != nil {
		t.Fatal(err)
	}
}

// receives waits for a message in any room and returns it.
func (u *bridgeUser) receives(t *testing.T, ctx context.Context, words string) *event.Event {
	t.Helper()
	evt, err := u.WaitMessage(ctx, "", "", words)
	if err != nil {
		t.Fatal(err)
	}
	return evt
}

// writes sends a message and returns its event.
func (u *bridgeUser) writes(t *testing.T, ctx context.Context, room id.RoomID, text string) id.EventID {
	t.Helper()
	sent, err := u.SendText(ctx, room, text)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// newContact makes a WhatsApp contact with connected devices.
func newContact(t *testing.T, ctx context.Context, s *stack.Stack, name string, devices int) *stack.Contact {
	t.Helper()
	contact, err := s.NewContact(ctx, name, devices)
	if err != nil {
		t.Fatal(err)
	}
	return contact
}

// tells lets the contact's first device write to the user.
func tells(t *testing.T, ctx context.Context, contact *stack.Contact, user *bridgeUser, text string) types.MessageID {
	t.Helper()
	sent, err := contact.Device().SendText(ctx, user.Address, text)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// hears waits until all devices of the contact have a message with the words.
func hears(t *testing.T, ctx context.Context, contact *stack.Contact, words string) {
	t.Helper()
	for _, device := range contact.Devices {
		if _, err := device.WaitMessage(ctx, words); err != nil {
			t.Fatal(err)
		}
	}
}

// must fails the test if a verb did, and returns what the verb returned otherwise.
func must[V any](value V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// sees waits for an event and returns it.
func (u *bridgeUser) sees(t *testing.T, ctx context.Context, what string, match func(*event.Event) bool) *event.Event {
	t.Helper()
	return must(u.Wait(ctx, what, match))(t)
}

// isTold waits until what the user did is shown as failed for good, and a notice with the words says why.
func (u *bridgeUser) isTold(t *testing.T, ctx context.Context, room id.RoomID, did id.EventID, words string) {
	t.Helper()
	u.sees(t, ctx, "failure of "+words, matrixuser.StatusOf(did, event.MessageStatusFail))
	u.sees(t, ctx, "notice with "+words, matrixuser.NoticeIn(room, u.stack.Bot(), words))
}

// gets waits until the contact's first device has a message that matches.
func gets(t *testing.T, ctx context.Context, contact *stack.Contact, what string, match func(*waE2E.Message) bool) *events.Message {
	t.Helper()
	return must(contact.Device().WaitMessageWhere(ctx, what, func(message *events.Message) bool { return match(message.Message) }))(t)
}
