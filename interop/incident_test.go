package interop_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"postern/interop"
)

func TestIncidentsAreCounted(t *testing.T) {
	var lock sync.Mutex
	var seen []interop.Incident
	_, s, l := started(t, func(options *interop.Options) {
		options.Observe = func(incident interop.Incident) {
			lock.Lock()
			defer lock.Unlock()
			seen = append(seen, incident)
		}
	})
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	before := time.Now()
	s.send(bobJID, "A")
	node := l.next("message")
	l.ack(node, 0)
	if result := waitFor[*interop.SendResult](s.events); result.Kind != "text" || result.Queued.Before(before) || result.Queued.After(time.Now()) {
		t.Errorf("result %+v", result)
	}
	bob.open(s, node, 0)
	l.send(retryReceipt(bob.devices[0], "A", 2, false))
	l.ack(l.next("message"), 0)
	l.wantReceipt("ack", "A", "retry")
	l.send(retryReceipt(bob.devices[0], "B", 1, false)) // no such message
	l.wantReceipt("ack", "B", "retry")
	broken := bob.message(s, "never readable")
	enc := broken.GetChildren()[0]
	enc.Content = append(slices.Clone(enc.Content.([]byte)), 1)
	broken.Content = append(broken.GetChildren()[:0:0], enc)
	l.send(broken)
	l.wantReceipt("receipt", "IN1", "retry")
	waitFor[*interop.Undecryptable](s.events)
	l.wantReceipt("ack", "IN1", "")
	s.stop()
	lock.Lock()
	defer lock.Unlock()
	if want := []interop.Incident{interop.IncidentSentAgain, interop.IncidentNotSentAgain, interop.IncidentAskedAgain}; !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
}

func TestEveryMessageHasAKindOfTheList(t *testing.T) {
	key := &waCommon.MessageKey{ID: proto.String("x")}
	for want, message := range map[string]*waE2E.Message{
		"text":     {Conversation: proto.String("hi")},
		"image":    {EphemeralMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}}},
		"voice":    {AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}},
		"gif":      {VideoMessage: &waE2E.VideoMessage{GifPlayback: proto.Bool(true)}},
		"contact":  {ContactsArrayMessage: &waE2E.ContactsArrayMessage{}},
		"location": {LiveLocationMessage: &waE2E.LiveLocationMessage{}},
		"poll":     {PollCreationMessage: &waE2E.PollCreationMessage{}},
		"reaction": {ReactionMessage: &waE2E.ReactionMessage{Key: key}},
		"edit":     {ProtocolMessage: &waE2E.ProtocolMessage{Key: key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum()}},
		"deletion": {ProtocolMessage: &waE2E.ProtocolMessage{Key: key, Type: waE2E.ProtocolMessage_REVOKE.Enum()}},
		"other":    {},
	} {
		if got := interop.KindOf(message); got != want || !slices.Contains(interop.Kinds, got) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
