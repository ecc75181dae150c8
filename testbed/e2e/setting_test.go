package e2e_test

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
)

// TestQuietChatsAreAPushRuleOfTheUsers: for chats that are there and for new ones, and it goes again.
func TestQuietChatsAreAPushRuleOfTheUsers(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1), newContact(t, ctx, s, unique("Carol"), 1)
	first := alice.startChat(t, ctx, bob.Phone)
	quiet := func(room string) bool {
		rules := must(alice.Client.GetPushRules(ctx))(t)
		rule := rules.Room.Map[room]
		return rule != nil && rule.Enabled && !rule.Actions.Should().Notify
	}
	if quiet(first.String()) {
		t.Error("a chat is quiet that nobody asked to be")
	}
	alice.command(t, ctx, "settings quiet all", "no third-party chat notifies you")
	if !quiet(first.String()) {
		t.Error("a chat that was there is not quiet")
	}
	second := alice.startChat(t, ctx, carol.Phone)
	if !quiet(second.String()) {
		t.Error("a new chat is not quiet")
	}
	alice.command(t, ctx, "settings quiet none", "as your client does it")
	if quiet(first.String()) || quiet(second.String()) {
		t.Error("a chat stays quiet")
	}
}

// TestTheSpaceIsTheUsersChoice: without it chats are made as before, and with it all of them are in it.
func TestTheSpaceIsTheUsersChoice(t *testing.T) {
	ctx, s := shared(t)
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1), newContact(t, ctx, s, unique("Carol"), 1)
	first := alice.startChat(t, ctx, bob.Phone)
	checkSpace(t, ctx, alice, first)
	child := alice.sees(t, ctx, "space", matrixuser.EventIn("", s.Bot(), event.StateSpaceChild))
	alice.command(t, ctx, "settings space off", "there is no space")
	alice.sees(t, ctx, "end of the space", matrixuser.MembershipOf(child.RoomID, alice.ID(), event.MembershipLeave))

	mark := alice.Mark()
	second := alice.startChat(t, ctx, carol.Phone)
	words := unique("hello")
	alice.writes(t, ctx, second, words)
	hears(t, ctx, carol, words)
	for _, evt := range alice.Since(mark) {
		if evt.Type == event.StateSpaceChild {
			t.Error("a chat was put into a space")
		}
	}
	alice.command(t, ctx, "settings space on", "collected in a space")
	for _, room := range []string{first.String(), second.String()} {
		if _, err := alice.WaitAfter(ctx, mark, "chat in the new space", func(evt *event.Event) bool {
			return evt.Type == event.StateSpaceChild && evt.GetStateKey() == room && evt.RoomID != child.RoomID
		}); err != nil {
			t.Fatal(err)
		}
	}
}
