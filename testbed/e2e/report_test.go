package e2e_test

import (
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestAReportReachesTheAdmins: with what the user chose, encrypted, and nothing else; the contact is blocked in the same step.
func TestAReportReachesTheAdmins(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, admins := administered(t, ctx, s, func(map[string]any) {})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	secret, scam, second := unique("secret"), unique("scam"), unique("second")
	for _, text := range []string{secret, scam, second} {
		sent := tells(t, ctx, bob, alice, text)
		alice.receives(t, ctx, text)
		delivered(t, ctx, bob, sent) // the bridge has noted it by then
	}
	// The newest message, with the user's own words.
	alice.asks(t, ctx, room, "report 1 they want money", "with 1 messages")
	first := root.sees(t, ctx, "report", matrixuser.MessageIn(admins, s.Bot(), second))
	body := first.Content.AsMessage().Body
	for _, words := range []string{alice.ID().String(), bob.Phone, "They say: they want money", "no interface for reports"} {
		if !strings.Contains(body, words) {
			t.Errorf("the report does not say %q: %q", words, body)
		}
	}
	stored := must(root.StoredEvent(ctx, admins, first.ID))(t)
	if stored.Type != event.EventEncrypted.Type {
		t.Errorf("the report is stored as %s", stored.Type)
	}
	// A message that the user answers, and the contact is blocked.
	about := alice.sees(t, ctx, "message", matrixuser.MessageIn(room, "", scam))
	mark := alice.Mark()
	must(alice.Reply(ctx, room, about, "!postern report block"))(t)
	must(alice.WaitAfter(ctx, mark, "answer", matrixuser.MessageIn(room, s.Bot(), "Blocked.")))(t)
	root.sees(t, ctx, "report", matrixuser.MessageIn(admins, s.Bot(), scam))
	if !blocklistOf(t, ctx, s, alice).has(t, ctx, bob) {
		t.Error("the contact is not blocked")
	}
	root.never(t, secret)
	alice.asks(t, ctx, room, "report 21", "may have 20 messages")
}

func TestAReportWithoutAnAdminRoomIsRefused(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := chatted(t, ctx, s, alice, bob)
	alice.asks(t, ctx, room, "report 1", "nowhere to go")
}
