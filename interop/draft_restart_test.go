package interop_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// TestReconnectDoesNotStartADraftTwice has the channel go down while a draft is completed: it goes on, and what was sent
// before it is sent again without waiting for it.
func TestReconnectDoesNotStartADraftTwice(t *testing.T) {
	drafts := newCompleter(t)
	p, s, l := started(t, drafts.option)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	s.sendDraft(bobJID, "B")
	s.send(bobJID, "C")
	call := drafts.next("B")
	l.next("message") // A, without an ack
	l.cut()
	l = p.login()
	bob.wantSent(s, l, "A")
	l.sync()
	drafts.none()
	call.succeed()
	bob.wantSent(s, l, "B")
	bob.wantSent(s, l, "C")
	drafts.none()
}

func TestDraftCompletedWhileTheChannelIsDownIsSentOnTheNext(t *testing.T) {
	drafts := newCompleter(t)
	stored := make(chan struct{}, 1)
	p, s, l := started(t, drafts.option, func(o *interop.Options) { o.Store = &announcingStore{o.Store, stored} })
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	call := drafts.next("A")
	l.cut()
	l = p.accept() // and lets the client wait for its login
	call.succeed()
	<-stored
	s.send(bobJID, "B")
	l.cut()
	l = p.login()
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
	drafts.none()
}

// announcingStore tells when a draft was completed.
type announcingStore struct {
	interop.Store
	stored chan struct{}
}

func (s *announcingStore) CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error {
	err := s.Store.CompleteOutgoing(ctx, id, plaintext)
	s.stored <- struct{}{}
	return err
}

func TestStopCancelsAndWaitsForTheDraft(t *testing.T) {
	drafts := newCompleter(t)
	p, s, l := started(t, drafts.option)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	s.send(bobJID, "B")
	call := drafts.next("A")
	s.stop()
	if call.ctx.Err() == nil {
		t.Error("the context has not ended")
	}
	drafts.mu.Lock()
	if len(drafts.running) > 0 {
		t.Error("stopped while the draft was being completed")
	}
	drafts.mu.Unlock()
	s.events.none()
	l.waitClosed()
	s.Start()
	l = p.login()
	drafts.next("A").succeed()
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
}

// TestDraftThatIsReadyWhenTheClientStopsIsKept completes a draft although the context ended.
func TestDraftThatIsReadyWhenTheClientStopsIsKept(t *testing.T) {
	began, calls := make(chan struct{}), 0
	p, s, _ := started(t, func(o *interop.Options) {
		o.Complete = func(ctx context.Context, draft interop.Draft) (*waE2E.Message, error) {
			calls++
			close(began)
			<-ctx.Done()
			return text("text of " + draft.ID), nil
		}
	})
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	<-began
	s.stop()
	s.Start()
	bob.wantSent(s, p.login(), "A")
	if calls != 1 {
		t.Errorf("the draft was completed %d times", calls)
	}
}

// TestKilledBeforeTheDraftWasStored has it completed again, and sent once.
func TestKilledBeforeTheDraftWasStored(t *testing.T) {
	drafts := newCompleter(t)
	p, s, l := started(t, drafts.option, mortal)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	s.send(bobJID, "B")
	call := drafts.next("A")
	s.options.Store.(*mortalStore).die()
	call.succeed()
	l.lax = true
	s = s.kill()
	s.Start()
	l = p.login()
	drafts.next("A").succeed()
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
	s.waitState("A", interop.OutgoingSent)
}

// TestKilledAfterTheDraftWasStored does not complete it again.
func TestKilledAfterTheDraftWasStored(t *testing.T) {
	drafts := newCompleter(t)
	p, s, l := started(t, drafts.option, mortal)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	drafts.next("A").succeed()
	l.next("message") // without an ack
	l.lax = true
	s = s.kill()
	s.Start()
	l = p.login()
	bob.wantSent(s, l, "A")
	drafts.none()
}

// TestDraftThatWasLoadedBeforeItWasCompletedIsNotCompletedAgain has a reading of the outbox overtaken by the completion.
func TestDraftThatWasLoadedBeforeItWasCompletedIsNotCompletedAgain(t *testing.T) {
	drafts := newCompleter(t)
	store := &slowReader{Store: newStore()}
	p, s, l := started(t, drafts.option, func(o *interop.Options) { o.Store = store })
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	call := drafts.next("A")
	loaded, release := make(chan struct{}), make(chan struct{})
	store.delay(func(messages []interop.Outgoing) {
		if len(messages) > 0 {
			store.delay(nil)
			close(loaded)
			<-release
		}
	})
	l.cut() // the next connection reads from the first message on
	l = p.login()
	<-loaded
	call.succeed()
	for s.Completing() > 0 {
		runtime.Gosched()
	}
	close(release)
	bob.wantSent(s, l, "A")
	drafts.none()
}

// slowReader does something between reading pending messages and returning them.
type slowReader struct {
	interop.Store
	mu   sync.Mutex
	hook func(messages []interop.Outgoing)
}

func (s *slowReader) delay(hook func(messages []interop.Outgoing)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

func (s *slowReader) PendingMessages(ctx context.Context, after int64, limit int) ([]interop.Outgoing, error) {
	messages, err := s.Store.PendingMessages(ctx, after, limit)
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(messages)
	}
	return messages, err
}
