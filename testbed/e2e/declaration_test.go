package e2e_test

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestAWithdrawnDeclarationSuspendsTheChats: who does not live in the EEA any more neither sends nor receives, is told so in
// the chat, and goes on in the same room after declaring it again.
func TestAWithdrawnDeclarationSuspendsTheChats(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	editBridge(t, ctx, s, func(config map[string]any) {
		entry := config["gatekeepers"].([]any)[0].(map[string]any)
		entry["eea_declaration"], entry["eea_withdrawn"] = true, "suspend"
	})
	alice, bob := newUser(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	alice.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
	alice.command(t, ctx, "yes", "European Economic Area")
	alice.command(t, ctx, "yes", "You are enlisted")
	alice.Address = must(s.Gatekeeper.AliasOf(ctx, alice.ID().String()))(t)
	room := chatted(t, ctx, s, alice, bob)

	alice.command(t, ctx, "eea withdraw", "After 30 days")
	alice.writes(t, ctx, room, unique("at-once")) // whoever is faster, the message or the news
	alice.sees(t, ctx, "why, at once", matrixuser.NoticeIn(room, s.Bot(), "suspended"))
	alice.sees(t, ctx, "the state", matrixuser.MessageIn(alice.Management, s.Bot(), "you have not declared to live"))
	lost := alice.writes(t, ctx, room, unique("not-sent"))
	alice.sees(t, ctx, "failed status", matrixuser.StatusOf(lost, event.MessageStatusRetriable))
	alice.sees(t, ctx, "why", matrixuser.NoticeIn(room, s.Bot(), "eea confirm"))
	waits := unique("waits")
	sent := tells(t, ctx, bob, alice, waits)
	if _, err := s.Gatekeeper.WaitMessage(ctx, sent); err != nil {
		t.Fatal(err)
	}
	restart(t, ctx, s)
	alice.command(t, ctx, "eea confirm", "go on")
	if evt := alice.receives(t, ctx, waits); evt.RoomID != room {
		t.Errorf("the chat goes on in %s", evt.RoomID)
	}
	there := unique("there")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
}
