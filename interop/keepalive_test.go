package interop_test

import (
	"testing"
	"time"

	"postern/interop"
)

func TestSilentGatekeeper(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	s.Start()
	l := p.login()
	l.mu.Lock()
	l.answer = nil
	l.mu.Unlock()
	clock.waitArmed(t, 20*time.Second, 20*time.Second)
	clock.advance(20 * time.Second)
	if ping := l.next("iq"); ping.Attrs["xmlns"] != "w:p" || ping.Attrs["type"] != "get" {
		t.Errorf("got %s", ping.String())
	}
	clock.waitArmed(t, 10*time.Second, 10*time.Second)
	l.sync() // any stanza is a sign of life
	clock.advance(10 * time.Second)
	clock.waitArmed(t, 20*time.Second, 20*time.Second)
	clock.advance(20 * time.Second)
	l.next("iq")
	clock.waitArmed(t, 10*time.Second, 10*time.Second)
	clock.advance(10 * time.Second)
	l.waitClosed()
	waitFor[*interop.Disconnected](s.events)
}

// unacknowledged sends A to Bob, whose ack does not come, and returns the connection after the one that was given up for it. The
// client looks after it in 20 seconds.
func unacknowledged(t *testing.T, contacts ...*contact) (*fakeClock, *subject, *link) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	p.answerAlso(answers(contacts...))
	s.Start()
	l := p.login()
	clock.waitArmed(t, 20*time.Second, 20*time.Second)
	s.send(bobJID, "A")
	l.next("message")
	clock.advance(31 * time.Second)
	l.waitClosed()
	down := waitFor[*interop.Disconnected](s.events)
	clock.waitArmed(t, down.RetryIn, down.RetryIn)
	clock.advance(down.RetryIn)
	l = p.login()
	clock.waitArmed(t, 20*time.Second, 20*time.Second)
	return clock, s, l
}

func TestAcksThatDoNotCome(t *testing.T) {
	bob := newContact(t, bobJID, 1)
	_, s, l := unacknowledged(t, bob)
	node := l.next("message")
	bob.open(s, node, 0)
	l.ack(node, 0)
	s.wantResult("A", nil)
}

// TestAMessageThatIsNeverAcknowledged: the gatekeeper takes others. It costs one connection, and then only its own chat waits.
func TestAMessageThatIsNeverAcknowledged(t *testing.T) {
	clock, s, l := unacknowledged(t, newContact(t, bobJID, 1), newContact(t, carolJID, 1))
	for _, other := range []string{"B", "C", "D", "E"} {
		if node := l.next("message"); node.Attrs["id"] != "A" {
			t.Fatalf("got %v", node.Attrs["id"])
		}
		s.send(carolJID, other)
		l.ack(l.next("message"), 0)
		s.wantResult(other, nil)
		clock.advance(31 * time.Second)
		clock.waitArmed(t, time.Millisecond, time.Millisecond) // the pause of the chat
		clock.waitArmed(t, 10*time.Second, 10*time.Second)     // the channel is looked after as before
		l.sync()
		clock.advance(time.Millisecond)
	}
	s.wantResult("A", interop.ErrUnconfirmed)
	s.send(bobJID, "F") // goes on
	l.ack(l.next("message"), 0)
	s.wantResult("F", nil)
}

// TestAGatekeeperThatAcknowledgesNothingFailsNoMessage: then it is not the message's fault.
func TestAGatekeeperThatAcknowledgesNothingFailsNoMessage(t *testing.T) {
	clock, s, l := unacknowledged(t, newContact(t, bobJID, 1))
	for range 6 {
		l.next("message")
		l.sync() // what came before is from before
		clock.advance(31 * time.Second)
		clock.waitArmed(t, time.Millisecond, time.Millisecond)
		clock.waitArmed(t, 10*time.Second, 10*time.Second)
		l.sync()
		clock.advance(time.Millisecond)
	}
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
}
