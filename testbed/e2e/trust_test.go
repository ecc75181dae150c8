package e2e_test

import (
	"context"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// asks writes a command into a chat and waits for an answer of the bot with the words.
func (u *bridgeUser) asks(t *testing.T, ctx context.Context, room id.RoomID, command, words string) *event.Event {
	t.Helper()
	mark := u.Mark()
	u.writes(t, ctx, room, "!postern "+command)
	return must(u.WaitAfter(ctx, mark, "answer to "+command, matrixuser.MessageIn(room, u.stack.Bot(), words)))(t)
}

// digitsOf collects the digits of a code in a text.
func digitsOf(text string) string {
	_, code, _ := strings.Cut(text, "\n")
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, code)
}

// phoneCode is the code that the contact's app shows.
func phoneCode(t *testing.T, ctx context.Context, contact *stack.Contact, user *bridgeUser) string {
	t.Helper()
	return must(whatsapp.SecurityCode(ctx, contact.Devices, user.ID().String(), user.Address))(t)
}

// changesKey gives the contact's first device new keys, as somebody with a new phone has.
func changesKey(t *testing.T, ctx context.Context, contact *stack.Contact) {
	t.Helper()
	if err := contact.Device().Reinstall(ctx); err != nil {
		t.Fatal(err)
	}
	if err := contact.Device().Connect(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestBothSidesSeeTheSameSecurityCode(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 2)
	room := chatted(t, ctx, s, alice, bob)
	mark := alice.Mark()
	answer := alice.asks(t, ctx, room, "code", "security code")
	code := digitsOf(answer.Content.AsMessage().Body)
	if want := phoneCode(t, ctx, bob, alice); code != want {
		t.Errorf("the user sees %s, the contact %s", code, want)
	}
	must(alice.WaitAfter(ctx, mark, "QR code", matrixuser.FileIn(room, s.Bot(), event.MsgImage)))(t)
	alice.asks(t, ctx, room, "verify", "Marked as compared")
	alice.asks(t, ctx, room, "code", "has not changed")

	// By number, from the bot's own room.
	alice.command(t, ctx, "security-code "+bob.Phone, "has not changed")

	// A new key takes the mark away, and the notice stands before the message.
	changesKey(t, ctx, bob)
	text := unique("under-a-new-key")
	tells(t, ctx, bob, alice, text)
	alice.receives(t, ctx, text)
	order := ""
	for _, evt := range alice.Since(0) {
		if matrixuser.NoticeIn(room, "", "is not marked as compared")(evt) {
			order += "notice "
		} else if matrixuser.MessageIn(room, "", text)(evt) {
			order += "message"
		}
	}
	if order != "notice message" {
		t.Errorf("the chat has %q", order)
	}
	stale := alice.asks(t, ctx, room, "code", "If your contact's app shows the same")
	if now, want := digitsOf(stale.Content.AsMessage().Body), phoneCode(t, ctx, bob, alice); now != want || now == code {
		t.Errorf("the user sees %s, the contact %s", now, want)
	}
}

// TestAnOldCodeIsNotVerified: a key that changes between the look and the word is not the one that was compared.
func TestAnOldCodeIsNotVerified(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	alice.asks(t, ctx, room, "verify", "first, and compare")
	alice.asks(t, ctx, room, "code", "security code")
	changesKey(t, ctx, bob)
	text := unique("under-a-new-key")
	tells(t, ctx, bob, alice, text)
	alice.receives(t, ctx, text)
	alice.asks(t, ctx, room, "verify", "not any more")
}

func TestMessagesWaitForANewKeyUntilTheUserAgrees(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	for name, agree := range map[string]func(*testing.T, *bridgeUser, id.RoomID, *event.Event){
		"by a command": func(t *testing.T, alice *bridgeUser, room id.RoomID, _ *event.Event) {
			alice.asks(t, ctx, room, "trust", "is sent now")
		},
		"by a reaction": func(t *testing.T, alice *bridgeUser, room id.RoomID, notice *event.Event) {
			must(alice.React(ctx, room, notice.ID, "✅"))(t)
			alice.sees(t, ctx, "answer", matrixuser.NoticeIn(room, s.Bot(), "is sent now"))
		},
		"by comparing": func(t *testing.T, alice *bridgeUser, room id.RoomID, _ *event.Event) {
			alice.asks(t, ctx, room, "code", "waits until you agree")
			alice.asks(t, ctx, room, "verify", "Marked as compared")
		},
	} {
		alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
		room := chatted(t, ctx, s, alice, bob)
		alice.command(t, ctx, "settings hold-on-new-key on", "waits until you agree")
		changesKey(t, ctx, bob)
		held := unique("held")
		sent := alice.writes(t, ctx, room, held)
		notice := alice.sees(t, ctx, "notice", matrixuser.NoticeIn(room, "", "Until you agree"))
		status := alice.sees(t, ctx, "status", func(evt *event.Event) bool {
			content, ok := evt.Content.Parsed.(*event.BeeperMessageStatusEventContent)
			return ok && content.RelatesTo.EventID == sent && strings.Contains(content.Message, "It waits")
		})
		if got := status.Content.Parsed.(*event.BeeperMessageStatusEventContent).Status; got != event.MessageStatusPending {
			t.Errorf("status is %s", got)
		}
		s.Bridge.Kill()
		if err := s.Bridge.Start(ctx); err != nil { // changes nothing
			t.Fatal(err)
		}
		for _, message := range bob.Device().Messages() {
			if whatsapp.Text(message.Message) == held {
				t.Errorf("%s: the contact has the message", name)
			}
		}
		agree(t, alice, room, notice)
		hears(t, ctx, bob, held)
		alice.sees(t, ctx, "success", matrixuser.StatusOf(sent, event.MessageStatusSuccess))
	}
}

// TestAContactWhoChangesTheirKeyWithEveryMessage fills no chat with notices.
func TestAContactWhoChangesTheirKeyWithEveryMessage(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	for range 6 {
		changesKey(t, ctx, bob)
		text := unique("text")
		tells(t, ctx, bob, alice, text)
		alice.receives(t, ctx, text)
	}
	notices, last := 0, 0
	for _, evt := range alice.Since(0) {
		if matrixuser.NoticeIn(room, "", "The security code of")(evt) {
			notices++
			if strings.Contains(evt.Content.AsMessage().Body, "are not shown one by one") {
				last++
			}
		}
	}
	if notices != 3 || last != 1 {
		t.Errorf("%d notices, %d say that there are more", notices, last)
	}
	if code := digitsOf(alice.asks(t, ctx, room, "code", "security code").Content.AsMessage().Body); code != phoneCode(t, ctx, bob, alice) {
		t.Error("the code is not that of the newest key")
	}
}
