package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// metaOf is what bridgev2 says of a message from the contact.
func metaOf(message networkid.MessageID) *bridgev2.MatrixSendExtra {
	return &bridgev2.MatrixSendExtra{
		Timestamp:   time.Unix(1_760_000_000, 0),
		MessageMeta: &database.Message{ID: message, Room: networkid.PortalKey{ID: "bob", Receiver: login}},
	}
}

func text(body string) *event.Content {
	return &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgText, Body: body}}
}

func (s *stack) send(ctx context.Context, message networkid.MessageID) (*mautrix.RespSendEvent, error) {
	return s.connector.GhostIntent("bob").SendMessage(ctx, room, event.EventMessage, text("hello"), metaOf(message))
}

// show puts an event into the room that looks as if the sender had sent the message in an earlier run.
func (s *stack) show(evt id.EventID, sender id.UserID, message networkid.MessageID) {
	mark := s.transactionID(sender, message)
	s.fake.lock.Lock()
	defer s.fake.lock.Unlock()
	s.fake.timeline = append(s.fake.timeline, fmt.Sprintf(
		`{"event_id":%q,"type":"m.room.encrypted","sender":%q,"content":{"org.postern.id":%q}}`, evt, sender, mark))
}

func (s *stack) transactionID(sender id.UserID, message networkid.MessageID) string {
	key := s.secrets("matrix-transaction-id")
	return homeserver.TransactionID(key, room, sender, metaOf(message))
}

const barrier = "send/org.postern.barrier"

func TestMessageThatAnEarlierRunSentIsNotSentAgain(t *testing.T) {
	s := newStack(t)
	bob := s.connector.FormatGhostMXID("bob")
	s.show("$before", bob, "one")
	s.show("$other", bob, "zero")
	s.fake.hidden = 2 // it takes the homeserver a while to show the barrier
	answer, err := s.send(homeserver.WithRepeat(context.Background()), "one")
	if err != nil || answer.EventID != "$before" {
		t.Errorf("got %v %v, want $before", answer, err)
	}
	if sent := s.fake.made("PUT", "send/m.room.encrypted"); len(sent) > 0 {
		t.Error("the message was sent again")
	}
	if polls := s.fake.made("GET", "/messages"); len(polls) != 3 {
		t.Errorf("%d looks at the room, want 3", len(polls))
	}
	if _, err = s.send(homeserver.WithRepeat(context.Background()), "two"); err != nil {
		t.Fatal(err)
	}
	barriers := s.fake.made("PUT", barrier)
	if len(barriers) != 1 {
		t.Fatalf("%d checks, want one for the first message only", len(barriers))
	}
	if asker := "user_id=" + url.QueryEscape(bob.String()); !strings.Contains(barriers[0].Query, asker) { // the bot may be out of the room
		t.Errorf("asked with %s, want %s", barriers[0].Query, asker)
	}
	if sent := s.fake.made("PUT", "send/m.room.encrypted"); len(sent) != 1 {
		t.Errorf("%d messages sent, want the second only", len(sent))
	}
}

func TestMarkOfSomeoneElseIsNotBelieved(t *testing.T) {
	s := newStack(t)
	bob := s.connector.FormatGhostMXID("bob")
	mark := s.transactionID(bob, "one")
	s.fake.timeline = []string{fmt.Sprintf(
		`{"event_id":"$forged","type":"m.room.encrypted","sender":%q,"content":{"org.postern.id":%q}}`, alice, mark), "null"}
	answer, err := s.send(homeserver.WithRepeat(context.Background()), "one")
	if err != nil || answer.EventID == "$forged" {
		t.Errorf("got %v %v", answer, err)
	}
	sent := s.fake.made("PUT", "send/m.room.encrypted")
	if len(sent) != 1 || !strings.HasSuffix(sent[0].Path, mark) || !strings.Contains(sent[0].Body, mark) {
		t.Errorf("sent %v, want one event with its mark", sent)
	}
}

func TestNewMessagesAreNotLookedFor(t *testing.T) {
	s := newStack(t)
	if _, err := s.send(context.Background(), "one"); err != nil {
		t.Fatal(err)
	}
	if looked := s.fake.made("GET", "/messages"); len(looked) > 0 {
		t.Error("a message that is new was looked for")
	}
}

func TestOnlyAnswersOfTheHomeserverRemoveDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		code   string
		doubt  bool
	}{
		"out of order":   {503, "M_UNKNOWN", true},
		"refused":        {403, "M_FORBIDDEN", false},
		"too many":       {429, "M_LIMIT_EXCEEDED", false},
		"gateway failed": {504, "M_UNKNOWN", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.fake.setRefusal("send/m.room.encrypted", test.status, test.code)
			if _, err := s.send(context.Background(), "one"); !isStatus(err, test.status) {
				t.Fatalf("error %v, want status %d", err, test.status)
			}
			s.fake.setRefusal("send/m.room.encrypted", 0, "")
			s.show("$before", s.connector.FormatGhostMXID("bob"), "one")
			answer, err := s.send(context.Background(), "one")
			if err != nil || (answer.EventID == "$before") != test.doubt {
				t.Errorf("got %v %v, looked for: want %v", answer, err, test.doubt)
			}
		})
	}
}

func isStatus(err error, status int) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == status
}

func TestMessageStaysInDoubtUntilTheRoomWasRead(t *testing.T) {
	s := newStack(t)
	ctx := homeserver.WithRepeat(context.Background())
	s.show("$before", s.connector.FormatGhostMXID("bob"), "one")
	s.fake.setRefusal("/messages", 403, "M_FORBIDDEN")
	if _, err := s.send(ctx, "one"); !isStatus(err, 403) {
		t.Fatalf("error %v", err)
	}
	s.fake.setRefusal("/messages", 0, "")
	answer, err := s.send(ctx, "one")
	if err != nil || answer.EventID != "$before" {
		t.Errorf("got %v %v, want $before", answer, err)
	}
}
