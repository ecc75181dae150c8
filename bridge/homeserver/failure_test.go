package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

func TestReasonsOfBridgev2CanBeExplained(t *testing.T) {
	s := newStack(t)
	s.explain = func(err error) string {
		if errors.Is(err, bridgev2.ErrEditTargetTooOld) {
			return "Messages can be edited for 15 minutes."
		}
		return ""
	}
	info := &bridgev2.MessageStatusEventInfo{RoomID: room, SourceEventID: "$a", EventType: event.EventMessage, Sender: alice}
	for name, err := range map[string]error{"plain": bridgev2.ErrEditTargetTooOld, "wrapped": fmt.Errorf("failed: %w", bridgev2.ErrEditTargetTooOld)} {
		ms := bridgev2.WrapErrorInStatus(err)
		notices := len(s.fake.made("PUT", "send/m.room.encrypted"))
		s.connector.SendMessageStatus(context.Background(), &ms, info)
		s.fake.wait("PUT", "send/m.room.encrypted", notices+1) // bridgev2 would have none
		statuses := s.fake.made("PUT", statusEvent)
		if body := statuses[len(statuses)-1].Body; !strings.Contains(body, "for 15 minutes") || !strings.Contains(body, "FAIL_PERMANENT") {
			t.Errorf("%s: status %s", name, body)
		}
		if notice := s.connector.FailureNotice(&ms, info); !strings.Contains(notice, "was not bridged: Messages can be edited for 15 minutes.") {
			t.Errorf("%s: notice %s", name, notice)
		}
	}
	other := bridgev2.WrapErrorInStatus(bridgev2.ErrTargetMessageNotFound)
	if notice := s.connector.FailureNotice(&other, info); !strings.Contains(notice, "target message not found") || other.SendNotice {
		t.Errorf("what is not explained is %q", notice)
	}
	s.explain = func(error) string { t.Error("a success was to be explained"); return "" }
	s.status("$b", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$b", 1)
}

func TestNoticeNamesWhatFailed(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	s.push(t, "1", transaction(from.content("$edit", "m.room.message",
		`{"msgtype":"m.text","body":"* x","m.new_content":{"msgtype":"m.text","body":"x"},"m.relates_to":{"rel_type":"m.replace","event_id":"$a"}}`)))
	for want, info := range map[string]bridgev2.MessageStatusEventInfo{
		"Your message was":       {EventType: event.EventMessage, SourceEventID: "$other"},
		"Your reaction was":      {EventType: event.EventReaction},
		"Your deletion was":      {EventType: event.EventRedaction},
		"Your edit was":          {EventType: event.EventMessage, SourceEventID: "$edit"},
		"Your edit was not bri":  {EventType: event.EventMessage, MessageType: homeserver.MsgEdit},
		"Your poll was":          {EventType: event.EventUnstablePollStart},
		"Your live location was": {EventType: event.Type{Type: "m.beacon_info", Class: event.StateEventType}},
		"Your call was":          {EventType: event.CallInvite},
	} {
		ms := &bridgev2.MessageStatus{Status: event.MessageStatusFail, Message: "because", IsCertain: true}
		if got := s.connector.FailureNotice(ms, &info); !strings.Contains(got, want) || !strings.HasSuffix(got, "bridged: because") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSuccessThatIsHeldIsPendingUntilTheRealOne(t *testing.T) {
	s := newStack(t)
	s.connector.HoldSuccess("$a")
	s.status("$a", event.MessageStatusSuccess)
	if body := s.fake.wait("PUT", statusEvent, 1)[0].Body; !strings.Contains(body, `"PENDING"`) {
		t.Errorf("status %s", body)
	}
	if receipts := s.fake.made("POST", "/receipt/"); len(receipts) > 0 {
		t.Error("what is pending has a receipt")
	}
	s.status("$a", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$a", 1)
	if statuses := s.fake.made("PUT", statusEvent); len(statuses) != 2 || !strings.Contains(statuses[1].Body, `"SUCCESS"`) {
		t.Errorf("statuses %v", statuses)
	}
}

func TestSuccessThatIsRealBeforeBridgev2SaysSoIsNotLost(t *testing.T) {
	s := newStack(t)
	s.connector.HoldSuccess("$a")
	s.connector.HoldSuccess("$a") // the event came twice
	s.status("$a", event.MessageStatusSuccess)
	s.status("$a", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$a", 1)
	if statuses := s.fake.made("PUT", statusEvent); len(statuses) != 1 || !strings.Contains(statuses[0].Body, `"SUCCESS"`) {
		t.Errorf("statuses %v", statuses)
	}
}

func TestFailureIsNotFollowedByTheSuccessThatIsHeld(t *testing.T) {
	s := newStack(t)
	info := &bridgev2.MessageStatusEventInfo{RoomID: room, SourceEventID: "$b", EventType: event.EventReaction, Sender: alice}
	s.connector.HoldSuccess("$a")
	s.connector.HoldSuccess("$b")
	s.status("$a", event.MessageStatusFail)
	if err := s.connector.ReportFailure(context.Background(), &bridgev2.MessageStatus{Status: event.MessageStatusFail}, info); err != nil {
		t.Fatal(err)
	}
	s.status("$a", event.MessageStatusSuccess)
	s.status("$b", event.MessageStatusSuccess)
	s.status("$c", event.MessageStatusSuccess)
	s.fake.wait("POST", "/receipt/m.read/$c", 1) // they are sent in order
	for _, status := range s.fake.made("PUT", statusEvent) {
		if strings.Contains(status.Body, `"SUCCESS"`) != strings.Contains(status.Body, "$c") {
			t.Errorf("status %s", status.Body)
		}
	}
}

func TestHeldSuccessesAreBounded(t *testing.T) {
	s := newStack(t)
	for i := range 4097 {
		s.connector.HoldSuccess(id.EventID(fmt.Sprintf("$%d", i)))
	}
	s.status("$0", event.MessageStatusSuccess) // is forgotten
	s.fake.wait("POST", "/receipt/m.read/$0", 1)
	s.status("$1", event.MessageStatusSuccess)
	if body := s.fake.wait("PUT", statusEvent, 2)[1].Body; !strings.Contains(body, `"PENDING"`) {
		t.Errorf("status %s", body)
	}
}
