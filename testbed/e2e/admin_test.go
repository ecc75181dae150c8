package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// administered restarts the bridge with an admin, a room of admins and more config. The bot is invited to the room.
func administered(t *testing.T, ctx context.Context, s *stack.Stack, edit func(map[string]any)) (root *bridgeUser, room id.RoomID) {
	t.Helper()
	root = newUser(t, ctx, s, "root")
	created, err := root.Client.CreateRoom(ctx, &mautrix.ReqCreateRoom{
		Preset: "private_chat", Name: "Admins", Invite: []id.UserID{s.Bot()},
		InitialState: []*event.Event{{
			Type:    event.StateEncryption,
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	room = created.RoomID
	editBridge(t, ctx, s, func(config map[string]any) {
		config["admins"], config["admin_room"] = []string{root.ID().String()}, room.String()
		edit(config)
	})
	root.sees(t, ctx, "the bot in the room", matrixuser.MembershipOf(room, s.Bot(), event.MembershipJoin))
	return root, room
}

// refusalOf matches the status that says why an event was not bridged.
func refusalOf(about id.EventID, words string) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		return matrixuser.StatusOf(about, "")(evt) && strings.Contains(evt.Content.Parsed.(*event.BeeperMessageStatusEventContent).Message, words)
	}
}

// hearsInRoom waits until the admins' room says something, in a message or a change of one.
func (u *bridgeUser) hearsInRoom(t *testing.T, ctx context.Context, room id.RoomID, words string) *event.Event {
	t.Helper()
	return u.sees(t, ctx, "news with "+words, matrixuser.MessageIn(room, u.stack.Bot(), words))
}

// TestAdminsHearOfRefusedTokensOnce however often it happens, and whether the bridge is restarted.
func TestAdminsHearOfRefusedTokensOnce(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, room := administered(t, ctx, s, func(map[string]any) {})
	alice := newEnlisted(t, ctx, s, "alice")
	if err := s.Gatekeeper.RefuseLogins(ctx, alice.ID().String(), tokenExpired, oneTooMany); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.Drop(ctx, alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	news := root.hearsInRoom(t, ctx, room, "refuses the identity tokens")
	restart(t, ctx, s)
	// It comes when the message may be changed again, which is a minute later.
	root.sees(t, ctx, "the count", func(evt *event.Event) bool {
		return matrixuser.EditOf(news.ID)(evt) && matrixuser.MessageIn(room, s.Bot(), "times since")(evt)
	})
	told := 0
	for _, evt := range root.Since(0) {
		if matrixuser.MessageIn(room, s.Bot(), "refuses the identity tokens")(evt) && evt.Content.AsMessage().NewContent == nil {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the admins were told %d times", told)
	}
}

// TestADailyLimitHoldsOverAKill, is told to the user with the time when it is over, and to the admins.
func TestADailyLimitHoldsOverAKill(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, room := administered(t, ctx, s, func(config map[string]any) {
		limits, _ := config["limits"].(map[string]any)
		if limits == nil {
			limits = make(map[string]any)
		}
		limits["messages_per_day"], limits["chats_per_day"], limits["pings_per_day"] = 3, 2, 1
		config["limits"] = limits
	})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	chat := alice.startChat(t, ctx, bob.Phone)
	words := []string{unique("one"), unique("two"), unique("three"), unique("four"), unique("five")}
	for _, word := range words[:2] {
		alice.writes(t, ctx, chat, word)
		hears(t, ctx, bob, word)
	}
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	last := alice.writes(t, ctx, chat, words[2])
	hears(t, ctx, bob, words[2])
	alice.isTold(t, ctx, chat, alice.writes(t, ctx, chat, words[3]), "It works again from")
	root.hearsInRoom(t, ctx, room, alice.ID().String()+" has come to the daily limit of 3 messages")
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.isTold(t, ctx, chat, alice.writes(t, ctx, chat, words[4]), "You have sent 3 messages today")
	// What others write comes, and what was sent can be deleted.
	back := unique("back")
	tells(t, ctx, bob, alice, back)
	alice.receives(t, ctx, back)
	if _, err := alice.Client.RedactEvent(ctx, chat, last); err != nil {
		t.Fatal(err)
	}
	// Two chats were begun, and one person was asked for another.
	alice.startChat(t, ctx, newContact(t, ctx, s, "Carol", 1).Phone)
	alice.command(t, ctx, "start-chat "+newContact(t, ctx, s, "Dave", 1).Phone, "You have begun 2 chats with new people today")
	alice.startChat(t, ctx, bob.Phone)
	for i, words := range []string{"I have asked them", "You have asked 1 people today"} {
		closed := newContact(t, ctx, s, fmt.Sprint("Closed", i), 1)
		if err := s.Gatekeeper.SetThirdParty(ctx, closed.Phone, false); err != nil {
			t.Fatal(err)
		}
		alice.command(t, ctx, "start-chat "+closed.Phone, words)
	}
	gets(t, ctx, bob, "deletion", func(m *waE2E.Message) bool { return m.GetProtocolMessage().GetType() == waE2E.ProtocolMessage_REVOKE })
}

// TestASuspendedUserWritesAndGetsNothing until the suspension is over. Nothing is lost meanwhile.
func TestASuspendedUserWritesAndGetsNothing(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	chat := chatted(t, ctx, s, alice, bob)
	alice.command(t, ctx, "suspend "+root.ID().String()+" because", "limited to bridge administrators")
	root.command(t, ctx, "suspend "+alice.ID().String()+" too many strangers complained", "is suspended and was told why")
	alice.sees(t, ctx, "why", matrixuser.MessageIn(alice.Management, s.Bot(), "suspended you: too many strangers complained"))
	alice.sees(t, ctx, "the refusal", refusalOf(alice.writes(t, ctx, chat, unique("refused")), "suspended you"))
	alice.command(t, ctx, "login "+stack.GatekeeperID, "too many strangers complained")
	alice.command(t, ctx, "start-chat "+bob.Phone, "suspended you")
	waits := unique("waits")
	tells(t, ctx, bob, alice, waits)
	root.command(t, ctx, "users suspended", alice.ID().String())
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	again := unique("again")
	alice.sees(t, ctx, "the refusal after a kill", refusalOf(alice.writes(t, ctx, chat, again), "suspended you"))
	for _, evt := range alice.Since(0) {
		if matrixuser.MessageIn("", "", waits)(evt) {
			t.Error("a suspended user got a message")
		}
	}
	if said := postern(t, ctx, s, "unsuspend", alice.ID().String()); !strings.Contains(said, "not suspended any more") {
		t.Error(said)
	}
	alice.sees(t, ctx, "the end of it", matrixuser.MessageIn(alice.Management, s.Bot(), "Your suspension is over"))
	alice.receives(t, ctx, waits)
	after := unique("after")
	alice.writes(t, ctx, chat, after)
	hears(t, ctx, bob, after)
	for _, message := range bob.Device().Messages() {
		if strings.Contains(message.Message.GetConversation(), again) {
			t.Error("what was refused was sent")
		}
	}
	log := postern(t, ctx, s, "audit")
	for _, entry := range []string{"consent by " + alice.ID().String(), "suspend by " + root.ID().String(), "unsuspend by command line"} {
		if !strings.Contains(log, entry) {
			t.Errorf("the audit log lacks %q: %s", entry, log)
		}
	}
	postern(t, ctx, s, "audit", "--verify")
}

// TestAdminsCannotActAsUsers: what the audit log says that a user did, the user did.
func TestAdminsCannotActAsUsers(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	root, _ := administered(t, ctx, s, func(map[string]any) {})
	alice := newUser(t, ctx, s, "alice")
	for _, name := range []string{"sudo", "run-as"} {
		root.command(t, ctx, name+" --create "+alice.ID().String()+" login "+stack.GatekeeperID, "Nobody can use commands in another person's name")
	}
	alice.command(t, ctx, "list-logins", "You're not logged in")
}
