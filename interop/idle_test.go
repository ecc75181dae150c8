package interop_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

var mailboxEmpty = waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline", Attrs: waBinary.Attrs{"count": 0}}}}

// waitIdle waits until a stop would interrupt nothing. There is no event for that.
func (s *subject) waitIdle() {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); runtime.Gosched() {
		if s.isIdle() {
			return
		}
	}
	s.t.Fatal("the client does not become idle")
}

func (s *subject) isIdle() bool {
	s.t.Helper()
	idle, err := s.IsIdle(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return idle
}

// idle makes a client that has nothing to do.
func idle(t *testing.T) (*peer, *subject, *link) {
	t.Helper()
	p, s, l := started(t)
	l.send(mailboxEmpty)
	waitFor[*interop.OfflineDelivered](s.events)
	s.waitIdle()
	return p, s, l
}

func (s *subject) rest() (more bool) {
	s.t.Helper()
	more, err := s.Rest(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return more
}

func TestIdleClientRestsAndStartsAgain(t *testing.T) {
	p, s, l := idle(t)
	for range 3 {
		if s.rest() {
			t.Error("there is more, though nothing came")
		}
		l.waitClosed()
		if s.isIdle() {
			t.Error("a client without a channel is idle")
		}
		s.Start()
		l = p.login()
		l.send(mailboxEmpty)
		waitFor[*interop.OfflineDelivered](s.events)
		s.waitIdle()
	}
}

func TestClientIsNotIdleBeforeItsMailboxIsHandled(t *testing.T) {
	_, s, l := started(t)
	<-l.ready
	l.sync()
	if s.isIdle() {
		t.Error("idle before the mailbox came")
	}
	bob := newContact(t, bobJID, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.Message); ok {
			close(entered)
			<-release
		}
		return nil
	})
	l.send(withAttrs(bob.message(s, "waited"), waBinary.Attrs{"offline": 0}))
	l.send(mailboxEmpty)
	<-entered
	if s.isIdle() {
		t.Error("idle while the handler is at work")
	}
	close(release)
	waitFor[*interop.Message](s.events)
	waitFor[*interop.OfflineDelivered](s.events)
	l.next("receipt")
	s.waitIdle()
}

func TestClientIsNotIdleWhileAMessageIsOnItsWay(t *testing.T) {
	_, s, l := idle(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "OUT")
	message := l.next("message")
	if s.isIdle() {
		t.Error("idle before the ack")
	}
	l.ack(message, 0)
	s.wantResult("OUT", nil)
	s.waitIdle()
	s.waitState("OUT", interop.OutgoingSent)
}

func TestMessageThatIsStoredBeforeTheRestIsFoundByTheNextStart(t *testing.T) {
	p, s, l := idle(t)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.rest()
	l.waitClosed()
	s.send(bobJID, "OUT")
	s.Start()
	l = p.login()
	l.send(mailboxEmpty)
	l.ack(l.next("message"), 0)
	waitFor[*interop.OfflineDelivered](s.events)
	s.wantResult("OUT", nil)
}

func TestWhatComesAfterTheLookIsMore(t *testing.T) {
	_, s, l := idle(t)
	bob := newContact(t, bobJID, 1)
	l.send(bob.message(s, "late"))
	waitFor[*interop.Message](s.events)
	l.next("receipt")
	if !s.rest() {
		t.Error("something came, and it was not told")
	}
}
