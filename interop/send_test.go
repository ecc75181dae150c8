package interop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
)

func text(content string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(content)} }

func (s *subject) send(chat types.JID, id string) {
	s.t.Helper()
	if err := s.Send(context.Background(), chat, id, text("text of "+id), "ref of "+id); err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) wantResult(id string, want error) {
	s.t.Helper()
	result := waitFor[*interop.SendResult](s.events)
	if result.ID != id || result.Ref != "ref of "+id || want == nil && result.Err != nil || !errors.Is(result.Err, want) {
		s.t.Fatalf("got %+v, want %s with error %v", result, id, want)
	}
}

func (s *subject) waitState(id string, want interop.OutgoingState) *interop.Outgoing {
	s.t.Helper()
	s.stop()
	message, err := s.store.FindOutgoing(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	} else if message == nil || message.State != want {
		s.t.Fatalf("message %s is %+v, want state %d", id, message, want)
	}
	return message
}

func TestMessageGoesToAllDevices(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 3)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	node := l.next("message")
	if node.Attrs["to"] != bobJID || node.Attrs["id"] != "A" || node.Attrs["type"] != "text" {
		t.Errorf("got %s", node.String())
	}
	if devices := childOf(node, "participants").GetChildren(); len(devices) != 3 {
		t.Errorf("message goes to %d devices", len(devices))
	}
	for device := range bob.devices {
		if got := bob.open(s, node, device); got != "text of A" {
			t.Errorf("device %d got %q", device, got)
		}
	}
	l.sync()
	s.events.none() // not before the ack
	l.ack(node, 0)
	s.wantResult("A", nil)
	s.waitState("A", interop.OutgoingSent)
}

func TestSendIsIdempotent(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	s.send(bobJID, "A")
	l.sync()
	s.waitState("A", interop.OutgoingSent)
	s.events.none()
}

func TestSendRefusesAtOnce(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p)
	for name, test := range map[string]struct {
		chat types.JID
		text string
		want error
	}{
		"TooLarge":  {bobJID, strings.Repeat("x", 64<<10), interop.ErrTooLarge},
		"Group":     {types.NewJID("1-2", types.GroupServer), "x", interop.ErrUnknownContact},
		"Nobody":    {types.JID{}, "x", interop.ErrUnknownContact},
		"TheServer": {types.ServerJID, "x", interop.ErrUnknownContact},
	} {
		if err := s.Send(context.Background(), test.chat, "A", text(test.text), ""); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if pending, _ := s.store.PendingMessages(context.Background(), 0, 9); len(pending) != 0 {
		t.Error("a refused message was stored")
	}
}

func TestMessagesWaitForTheChannelAndKeepTheirOrder(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p)
	for i := range 40 {
		s.send(bobJID, fmt.Sprint("M", i))
	}
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.Start()
	l := p.login()
	for i := range 40 {
		node := l.next("message")
		if want := fmt.Sprint("text of M", i); bob.open(s, node, 0) != want {
			t.Fatalf("message %d is %v", i, node.Attrs["id"])
		}
		l.ack(node, 0)
	}
	for i := range 40 {
		s.wantResult(fmt.Sprint("M", i), nil)
	}
}

func TestWindowOfUnacknowledgedMessages(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	for i := range 100 {
		s.send(bobJID, fmt.Sprint("M", i))
	}
	var nodes []*waBinary.Node
	for range 64 {
		nodes = append(nodes, l.next("message"))
	}
	l.sync() // no more until acks come
	for _, node := range nodes {
		l.ack(node, 0)
	}
	for range 36 {
		l.ack(l.next("message"), 0)
	}
	for i := range 100 {
		s.wantResult(fmt.Sprint("M", i), nil)
	}
}

func TestUnacknowledgedMessagesAreSentAgain(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))
	for i := range 5 {
		s.send(bobJID, fmt.Sprint("M", i))
	}
	for range 5 {
		node := l.next("message")
		if node.Attrs["id"] == "M1" {
			l.ack(node, 0)
			s.wantResult("M1", nil)
		}
	}
	l.sync()
	l.cut()
	l = p.login()
	for _, want := range []string{"M0", "M2", "M3", "M4"} {
		node := l.next("message")
		if got := bob.open(s, node, 0); got != "text of "+want || node.Attrs["id"] != want {
			t.Errorf("got %q, want %s", got, want)
		}
		l.ack(node, 0)
		s.wantResult(want, nil)
	}
}

// TestKilledBetweenAckAndResult has the message sent and told again; the gatekeeper knows it by its id.
func TestKilledBetweenAckAndResult(t *testing.T) {
	p, s, l := started(t, mortal)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	node := l.next("message")
	entered, release := make(chan struct{}), make(chan struct{})
	s.events.intercept(func(context.Context, interop.Event) error {
		close(entered)
		<-release
		return nil
	})
	l.ack(node, 0)
	<-entered
	s.options.Store.(*mortalStore).die()
	close(release)
	s = s.kill()
	s.Start()
	l = p.login()
	node = l.next("message")
	if got := bob.open(s, node, 0); got != "text of A" || node.Attrs["id"] != "A" {
		t.Errorf("got %q, %v", got, node.Attrs["id"])
	}
	l.ack(node, 0)
	s.wantResult("A", nil)
	s.waitState("A", interop.OutgoingSent)
}

func TestInteropContactHasOneDevice(t *testing.T) {
	_, s, l := started(t)
	dave := newContact(t, types.JID{User: "77", Server: types.InteropServer, Integrator: 9}, 1)
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] == "usync" {
			t.Error("asked for the devices of an interop account")
		}
		return answers(dave)(iq)
	})
	s.send(dave.jid, "A")
	if got := dave.open(s, l.next("message"), 0); got != "text of A" {
		t.Errorf("got %q", got)
	}
}

func TestChangedIdentityIsToldWhenSending(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	bob.devices[0].Reinstall(newStore())
	bob.nextKey[bob.devices[0]] = 0
	l.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "encrypt", "from": bobJID, "id": "N"}, Content: []waBinary.Node{{Tag: "identity"}}})
	l.wantReceipt("ack", "N", "encrypt")
	s.send(bobJID, "B")
	node := l.next("message")
	if got := bob.open(s, node, 0); got != "text of B" {
		t.Errorf("got %q", got)
	}
	if changed := waitFor[*interop.IdentityChanged](s.events); changed.Contact != bobJID {
		t.Errorf("got %+v", changed)
	}
	l.ack(node, 0)
	s.wantResult("B", nil)
}

func TestStoreInTroubleWhileSending(t *testing.T) {
	for call := 1; call <= 8; call++ {
		t.Run(fmt.Sprint(call), func(t *testing.T) {
			store := &failingStore{Store: newStore()}
			_, s, l := started(t, func(o *interop.Options) { o.Store = store })
			bob := newContact(t, bobJID, 1)
			l.answerAlso(answers(bob))
			store.failAt(call)
			for _, id := range []string{"A", "B"} {
				s.send(bobJID, id)
			}
			for _, id := range []string{"A", "B"} {
				node := l.next("message")
				if got := bob.open(s, node, 0); got != "text of "+id {
					t.Errorf("got %q, want %s", got, id)
				}
				l.ack(node, 0)
				s.wantResult(id, nil)
			}
			store.failAt(0)
		})
	}
}

func TestConcurrentSenders(t *testing.T) {
	_, s, l := started(t)
	bob, carol := newContact(t, bobJID, 2), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	const each = 100
	var group sync.WaitGroup
	for _, jid := range []types.JID{bobJID, carolJID} {
		group.Go(func() {
			for i := range each {
				s.send(jid, fmt.Sprintf("%s-%d", jid.User, i))
			}
		})
	}
	next := map[any]int{}
	for range 2 * each {
		node := l.next("message")
		to := node.Attrs["to"].(types.JID)
		if want := fmt.Sprintf("%s-%d", to.User, next[to]); node.Attrs["id"] != want {
			t.Fatalf("got %v, want %s", node.Attrs["id"], want)
		}
		next[to]++
		l.ack(node, 0)
		waitFor[*interop.SendResult](s.events)
	}
	group.Wait()
}

func TestMessageIDIsStable(t *testing.T) {
	seen := map[types.MessageID]string{}
	for _, account := range []types.JID{aliceJID, {User: "1001", Server: types.InteropServer, Integrator: 8}, {User: "1002", Server: types.InteropServer, Integrator: 7}} {
		for _, ref := range []string{"$event", "$other", ""} {
			id := interop.MessageID(account, ref)
			if id != interop.MessageID(account, ref) || len(id) != 22 || !strings.HasPrefix(id, "3EB0") {
				t.Errorf("got %q", id)
			}
			if other, taken := seen[id]; taken {
				t.Errorf("%q and %q share an id", ref, other)
			}
			seen[id] = ref
		}
	}
}

func TestSentMessagesAreForgottenInTheEnd(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	const count = 1600
	go func() {
		for i := range count {
			s.send(bobJID, fmt.Sprint("M", i))
		}
	}()
	for range count {
		l.ack(l.next("message"), 0)
	}
	for i := range count {
		s.wantResult(fmt.Sprint("M", i), nil)
	}
	s.stop()
	kept := 0
	for i := range count {
		message, err := s.store.FindOutgoing(context.Background(), fmt.Sprint("M", i))
		if err != nil {
			t.Fatal(err)
		} else if message != nil {
			kept++
		} else if kept > 0 {
			t.Fatalf("M%d is gone, older ones are not", i)
		}
	}
	if kept < 1000 || kept > 1000+250+sendBatchOfTests {
		t.Errorf("%d messages are kept", kept)
	}
}

// sendBatchOfTests is how many results may be stored together, at most.
const sendBatchOfTests = 256
