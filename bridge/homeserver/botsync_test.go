package homeserver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
)

// firstSync lets the bot's first sync end, which is about the past.
func (s *stack) firstSync() {
	s.fake.syncs <- `{"next_batch":"first"}`
	s.waitSync("since=first")
}

// waitSync waits until the bot goes on from somewhere.
func (s *stack) waitSync(since string) {
	s.fake.t.Helper()
	for count := 1; ; count++ {
		for _, request := range s.fake.wait("GET", "/sync", count) {
			if strings.Contains(request.Query, since) {
				return
			}
		}
	}
}

func joined(part, events string) string {
	return fmt.Sprintf(`{"next_batch":"second","rooms":{"join":{%q:{%q:{"events":[%s]}}}}}`, room, part, events)
}

func TestFirstSyncOfTheBotBringsNothing(t *testing.T) {
	s := newStack(t)
	s.fake.syncs <- joined("ephemeral", `{"type":"m.typing","content":{"user_ids":["@alice:example.org"]}}`)
	s.waitSync("since=second")
	if len(s.network.signals) > 0 {
		t.Errorf("got %s", <-s.network.signals)
	}
}

func TestBotsSyncBringsTyping(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	s.fake.syncs <- joined("ephemeral", `null,{"type":"m.typing","content":{"user_ids":["@alice:example.org","@postern_bob:example.org"]}}`)
	if got := <-s.network.signals; got != "typing" {
		t.Errorf("got %s", got)
	}
}

func TestBotsSyncTakesRedactionsOnly(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	s.push(t, "1", transaction(from.event("$a", "one")))
	s.expect(t, "one")
	s.firstSync()
	// Dendrite sends messages in transactions too: those of the sync would be twice.
	s.fake.syncs <- joined("timeline", from.event("$b", "two")+`,{"type":"m.room.redaction","event_id":"$r","sender":"@alice:example.org","redacts":"$a","content":{"redacts":"$a"}}`)
	s.waitSync("since=second")
	s.expectNothing(t)
	if got := <-s.network.signals; got != "redaction" {
		t.Errorf("got %s", got)
	}
}

func TestPlaceInTheSyncIsStoredOnlyWhenItsEventsAreHandled(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	s.network.holdSignals = make(chan struct{})
	s.fake.syncs <- joined("ephemeral", `{"type":"m.typing","content":{"user_ids":["@alice:example.org"]}}`)
	s.network.holdSignals <- struct{}{} // the handler is at work
	if place := s.place(t); place != "first" {
		t.Errorf("the place is %q while events are handled", place)
	}
	s.network.holdSignals <- struct{}{}
	s.waitSync("since=second")
	if place := s.place(t); place != "second" {
		t.Errorf("the place is %q", place)
	}
	// An answer with nothing in it costs no write.
	s.fake.syncs <- `{"next_batch":"third","rooms":{"join":{"!chat:example.org":null}}}`
	s.waitSync("since=third")
	if place := s.place(t); place != "second" {
		t.Errorf("the place is %q after an empty answer", place)
	}
	before := len(s.fake.made("GET", "/sync"))
	if err := s.restart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if next := s.fake.wait("GET", "/sync", before+1)[before]; !strings.Contains(next.Query, "since=second") {
		t.Errorf("the sync goes on with %s", next.Query)
	}
}

func (s *stack) place(t *testing.T) string {
	t.Helper()
	place, err := s.kv.Get(context.Background(), "matrix.sync_token."+device)
	if err != nil {
		t.Fatal(err)
	}
	return string(place)
}

func TestSyncThatFailsIsTriedAgain(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	s.fake.syncs <- `not JSON`
	s.fake.syncs <- joined("ephemeral", `{"type":"m.typing","content":{"user_ids":["@alice:example.org"]}}`)
	if got := <-s.network.signals; got != "typing" {
		t.Errorf("got %s", got)
	}
}

func invite(room, sender string) string {
	return fmt.Sprintf(`%q:{"invite_state":{"events":[null,{"type":"m.room.name","state_key":"","content":{"name":"x"}},`+
		`{"type":"m.room.member","state_key":%q,"sender":%q,"content":{"membership":"invite"}}]}}`, room, botUser, sender)
}

func TestUserOfAnotherServerIsToldWhyTheBotCannotServe(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	path := "/rooms/!theirs:other.org/"
	s.fake.setState(path+"state/m.room.encryption/", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	s.fake.setState(path+"members", `{"chunk":[]}`)
	s.fake.syncs <- fmt.Sprintf(`{"next_batch":"second","rooms":{"invite":{"!null:b":null,%s,%s}}}`,
		invite("!theirs:other.org", "@mallory:other.org"), invite("!ours:example.org", string(alice)))
	s.fake.wait("POST", path+"join", 1)
	if clear := s.fake.wait("PUT", path+"send/m.room.encrypted", 1)[0].Body; strings.Contains(clear, "only for users") {
		t.Errorf("the answer is not encrypted: %s", clear)
	}
	if joined := s.fake.made("POST", "!ours:example.org/join"); len(joined) > 0 {
		t.Error("an invite that comes in transactions was taken from the sync")
	}
	user, err := s.bridge.GetUserByMXID(context.Background(), "@mallory:other.org")
	if err != nil || user.ManagementRoom != "!theirs:other.org" {
		t.Errorf("commands are not answered there: %v %v", user, err)
	}
}

func TestForeignInviteIsTriedUntilTheOtherServerKnowsOfIt(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	path := "/rooms/!theirs:other.org/"
	s.fake.setRefusal(path+"join", 403, "M_FORBIDDEN")
	s.fake.syncs <- fmt.Sprintf(`{"next_batch":"second","rooms":{"invite":{%s}}}`, invite("!theirs:other.org", "@mallory:other.org"))
	s.fake.wait("POST", path+"join", 1)
	s.fake.setRefusal(path+"join", 0, "")
	if greeting := s.fake.wait("PUT", path+"send/"+event.EventMessage.Type, 1)[0].Body; !strings.Contains(greeting, "only for users of example.org") {
		t.Errorf("greeted with %s", greeting)
	}
}
