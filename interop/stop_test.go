package interop_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// TestStuckChatIsBoundedAndLeavesOthersAlone sends more than may wait of one chat while its handler hangs.
func TestStuckChatIsBoundedAndLeavesOthersAlone(t *testing.T) {
	p, s, l := started(t)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if message, ok := event.(*interop.Message); ok && message.Chat == bobJID {
			<-release
		}
		return nil
	})
	const count = 4200
	nodes := make([]waBinary.Node, count)
	for i := range nodes {
		nodes[i] = bob.message(s, strconv.Itoa(i))
	}
	for _, node := range nodes {
		l.send(node)
	}
	l.send(carol.message(s, "hello"))
	if got := waitFor[*interop.Message](s.events); got.Chat != carolJID {
		t.Fatalf("got a message of %s", got.Chat)
	}
	l.next("receipt")
	l.lax = true
	close(release)
	l.waitClosed()
	l = p.login()
	for _, node := range nodes {
		l.send(node)
	}
	for i := range nodes {
		if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", got.Message.GetConversation(), i)
		}
		l.next("receipt")
	}
}

func TestStopWaitsForTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		close(entered)
		<-release
		return nil
	})
	l.send(bob.message(s, "one"))
	l.send(bob.message(s, "two"))
	<-entered
	stopped := make(chan struct{})
	go func() {
		s.stop()
		close(stopped)
	}()
	for !s.HasBegunToStop() {
		runtime.Gosched()
	}
	l.sync()
	select {
	case <-stopped:
		t.Error("stopped while the handler was at work")
	default:
	}
	close(release)
	l.wantReceipt("receipt", "IN1", "") // still goes out
	<-stopped
	waitFor[*interop.Message](s.events)
	s.events.none() // the second waits at the gatekeeper
}

func TestStopOutOfTimeCancelsTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	entered := make(chan struct{})
	s.events.intercept(func(ctx context.Context, event interop.Event) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	})
	l.send(bob.message(s, "one"))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.stop()
}
