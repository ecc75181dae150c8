package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

func (s *stack) status(evt id.EventID, status event.MessageStatus) {
	s.connector.SendMessageStatus(context.Background(),
		&bridgev2.MessageStatus{Status: status, Message: "because", SendNotice: true, ErrorReason: event.MessageStatusGenericError},
		&bridgev2.MessageStatusEventInfo{RoomID: room, SourceEventID: evt, EventType: event.EventMessage, Sender: alice})
}

const statusEvent = "send/com.beeper.message_send_status"

func TestSuccessIsAStatusAndAReceipt(t *testing.T) {
	s := newStack(t)
	s.status("$a", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$a", 1)
	if body := s.fake.wait("PUT", statusEvent, 1)[0].Body; !strings.Contains(body, `"SUCCESS"`) || !strings.Contains(body, "$a") {
		t.Errorf("status %s", body)
	}
	if notices := s.fake.made("PUT", "send/m.room"); len(notices) > 0 {
		t.Error("a success has a notice")
	}
}

func TestMessageThatTakesAWhileIsShownAsPending(t *testing.T) {
	s := newStack(t)
	s.status("$a", event.MessageStatusPending)
	if body := s.fake.wait("PUT", statusEvent, 1)[0].Body; !strings.Contains(body, `"PENDING"`) || !strings.Contains(body, "$a") {
		t.Errorf("status %s", body)
	}
	s.status("$a", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$a", 1)
	if statuses := s.fake.made("PUT", statusEvent); len(statuses) != 2 || !strings.Contains(statuses[1].Body, `"SUCCESS"`) {
		t.Errorf("statuses %v", statuses)
	}
}

func TestMessageThatArrivesAtOnceIsNotShownAsPending(t *testing.T) {
	s := newStack(t)
	s.status("$a", event.MessageStatusPending)
	s.status("$a", event.MessageStatusSuccess)
	s.status("$b", event.MessageStatusPending)
	s.status("$b", event.MessageStatusFail)
	s.status("$c", event.MessageStatusPending)
	for _, status := range s.fake.wait("PUT", statusEvent, 3) {
		if strings.Contains(status.Body, `"PENDING"`) != strings.Contains(status.Body, "$c") {
			t.Errorf("status %s", status.Body)
		}
	}
}

func TestFailureIsAStatusAndAnEncryptedNotice(t *testing.T) {
	s := newStack(t)
	s.status("$a", event.MessageStatusFail)
	notice := s.fake.wait("PUT", "send/m.room", 1)[0]
	if !strings.Contains(notice.Path, "m.room.encrypted") || strings.Contains(notice.Body, "because") {
		t.Errorf("the notice is %s %s", notice.Path, notice.Body)
	}
	if status := s.fake.made("PUT", statusEvent); len(status) != 1 || !strings.Contains(status[0].Body, "because") {
		t.Errorf("statuses %v", status)
	}
}

func TestStatusesOfARoomKeepTheirOrderWhenOneIsTriedAgain(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal(statusEvent, 503, "M_UNKNOWN")
	for i := range 5 {
		s.status(id.EventID(fmt.Sprintf("$%d", i)), event.MessageStatusSuccess)
	}
	s.fake.wait("PUT", statusEvent, 1)
	s.fake.setRefusal(statusEvent, 0, "")
	s.fake.wait("PUT", statusEvent, 6)
	var order []string
	for _, status := range s.fake.made("PUT", statusEvent) {
		_, after, _ := strings.Cut(status.Body, `"event_id":"$`)
		if last := len(order) - 1; last < 0 || order[last] != after[:1] {
			order = append(order, after[:1])
		}
	}
	if got := strings.Join(order, ""); got != "01234" {
		t.Errorf("statuses came in the order %s", got)
	}
}

func TestStatusThatIsRefusedDoesNotHoldTheNextOneUp(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal(statusEvent, 403, "M_FORBIDDEN")
	s.status("$a", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$a", 1)
	if tries := s.fake.made("PUT", statusEvent); len(tries) != 1 {
		t.Errorf("%d tries of a status that is refused", len(tries))
	}
}

func TestDeliverStatusTellsIfItDidNotWork(t *testing.T) {
	s := newStack(t)
	s.fake.setRefusal(statusEvent, 403, "M_FORBIDDEN")
	err := s.connector.DeliverStatus(context.Background(), &bridgev2.MessageStatus{Status: event.MessageStatusSuccess},
		&bridgev2.MessageStatusEventInfo{RoomID: room, SourceEventID: "$a", EventType: event.EventMessage})
	if !errors.Is(err, mautrix.MForbidden) {
		t.Errorf("error %v", err)
	}
}

func TestMayHeal(t *testing.T) {
	s := newStack(t)
	answer := func(status int, code string) error {
		s.fake.setRefusal("/send/", status, code)
		_, err := s.connector.Bot.SendText(context.Background(), room, "x")
		return fmt.Errorf("failed: %w", err)
	}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{answer(503, "M_UNKNOWN"), true},
		{answer(429, "M_LIMIT_EXCEEDED"), true},
		{answer(403, "M_FORBIDDEN"), false},
		{answer(404, "M_NOT_FOUND"), false},
		{answer(413, "M_TOO_LARGE"), false},
		{errors.New("connection refused"), true},
		{fmt.Errorf("failed: %w", context.DeadlineExceeded), true},
		{fmt.Errorf("failed: %w", context.Canceled), false},
		{fmt.Errorf("failed: %w", homeserver.ErrNotEncrypted), false},
	} {
		if got := homeserver.MayHeal(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}

func TestReasonsWhyAMessageCannotBeReadAreInPlainWords(t *testing.T) {
	for want, err := range map[string]error{
		"refuses to give":     fmt.Errorf("failed: %w", &event.RoomKeyWithheldEventContent{Code: event.RoomKeyWithheldBlacklisted}),
		"newer than":          fmt.Errorf("failed: %w", olm.ErrUnknownMessageIndex),
		"could not decrypt":   errors.New("bad MAC"),
		"did not send":        homeserver.ErrKeyMissing,
		"did not send the br": homeserver.ErrNoSession,
	} {
		if got := homeserver.ExplainUndecryptable(err); !strings.Contains(got, want) || !strings.Contains(got, "again") {
			t.Errorf("%v: %q", err, got)
		}
	}
}
