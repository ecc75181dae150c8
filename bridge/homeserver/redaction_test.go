package homeserver_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
)

// TestMessageThatWasTakenBackBeforeItCameIsNotTaken: on Dendrite the two come on different ways.
func TestMessageThatWasTakenBackBeforeItCameIsNotTaken(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	s.firstSync()
	s.fake.syncs <- joined("timeline", `{"type":"m.room.redaction","event_id":"$r","sender":"@alice:example.org","redacts":"$a","content":{"redacts":"$a"}}`)
	s.waitSync("since=second")
	s.push(t, "1", transaction(from.event("$a", "one"), from.event("$b", "two")))
	s.expect(t, "two")
	s.expectNothing(t)
	s.fake.wait("POST", "/receipt/m.read/$b", 1)
	for _, status := range s.fake.made("PUT", statusEvent) {
		if !strings.Contains(status.Body, "$b") {
			t.Errorf("status %s", status.Body)
		}
	}
}

// TestMessageThatTheServerHasNoMoreIsNotTaken: Synapse sends what it has left of it, which cannot be decrypted.
func TestMessageThatTheServerHasNoMoreIsNotTaken(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	empty := fmt.Sprintf(`{"type":"m.room.encrypted","event_id":"$a","room_id":%q,"sender":%q,"content":{},
		"unsigned":{"redacted_because":{"type":"m.room.redaction","event_id":"$r","sender":%[2]q,"redacts":"$a","content":{}}}}`, room, alice)
	s.push(t, "1", transaction(empty, from.event("$b", "two")))
	s.expect(t, "two")
	s.fake.wait("POST", "/receipt/m.read/$b", 1)
	if notices := s.fake.made("PUT", "send/m.room.encrypted"); len(notices) > 0 {
		t.Errorf("notices %v", notices)
	}
}

func TestRedactionOfWhatTheOtherSideDoesNotHaveIsNoFailure(t *testing.T) {
	s := newStack(t)
	ms := bridgev2.WrapErrorInStatus(fmt.Errorf("redaction %w", bridgev2.ErrTargetMessageNotFound))
	tell := func(kind event.Type) {
		s.connector.SendMessageStatus(context.Background(), &ms, &bridgev2.MessageStatusEventInfo{
			RoomID: room, SourceEventID: "$a", EventType: kind, Sender: alice,
		})
	}
	tell(event.EventRedaction)
	tell(event.EventReaction)
	s.status("$b", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$b", 1)
	if statuses := s.fake.made("PUT", statusEvent); len(statuses) != 2 {
		t.Errorf("statuses %v", statuses)
	}
}
