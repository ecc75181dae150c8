package interop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// completer completes drafts when the test says so.
type completer struct {
	t     *testing.T
	calls chan *completion
	mu    sync.Mutex
	// running holds the chats that a draft is being completed of.
	running map[types.JID]bool
}

// completion is one call of Complete, which waits for the test.
type completion struct {
	interop.Draft
	t      *testing.T
	ctx    context.Context
	answer chan completed
}

type completed struct {
	message *waE2E.Message
	err     error
}

func newCompleter(t *testing.T) *completer {
	return &completer{t: t, calls: make(chan *completion, 100), running: make(map[types.JID]bool)}
}

func (c *completer) option(options *interop.Options) { options.Complete = c.complete }

func (c *completer) complete(ctx context.Context, draft interop.Draft) (*waE2E.Message, error) {
	c.mu.Lock()
	if c.running[draft.Chat] {
		c.t.Errorf("two drafts of %s are completed at once", draft.Chat)
	}
	c.running[draft.Chat] = true
	c.mu.Unlock()
	call := &completion{Draft: draft, t: c.t, ctx: ctx, answer: make(chan completed, 1)}
	c.calls <- call
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.running, draft.Chat)
	}()
	select {
	case answer := <-call.answer:
		return answer.message, answer.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// next waits for a call, which must be for the id.
func (c *completer) next(id string) *completion {
	c.t.Helper()
	select {
	case call := <-c.calls:
		if call.ID != id || call.Ref != "ref of "+id || string(call.Data) != "draft of "+id {
			c.t.Fatalf("got %+v, want %s", call.Draft, id)
		}
		return call
	case <-time.After(patience):
		c.t.Fatalf("draft %s was not to be completed", id)
		return nil
	}
}

// none fails the test if there are calls that it did not wait for.
func (c *completer) none() {
	c.t.Helper()
	select {
	case call := <-c.calls:
		c.t.Errorf("draft %s was to be completed again", call.ID)
	default:
	}
}

func (c *completion) succeed() { c.answer <- completed{message: text("text of " + c.ID)} }

func (c *completion) fail(err error) { c.answer <- completed{err: err} }

func (s *subject) sendDraft(chat types.JID, id string) {
	s.t.Helper()
	if err := s.SendDraft(context.Background(), chat, id, []byte("draft of "+id), "ref of "+id); err != nil {
		s.t.Fatal(err)
	}
}

// wantSent waits for a message, acknowledges it and waits for its result.
func (c *contact) wantSent(s *subject, l *link, id string) {
	c.t.Helper()
	node := l.next("message")
	if got := c.open(s, node, 0); got != "text of "+id || node.Attrs["id"] != id {
		c.t.Fatalf("got %q as %v, want %s", got, node.Attrs["id"], id)
	}
	l.ack(node, 0)
	s.wantResult(id, nil)
}

func TestDraftIsCompletedAndItsChatWaits(t *testing.T) {
	drafts := newCompleter(t)
	_, s, l := started(t, drafts.option)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	s.send(bobJID, "A")
	s.sendDraft(bobJID, "B")
	s.send(bobJID, "C")
	s.sendDraft(bobJID, "D")
	s.sendDraft(bobJID, "B") // known already
	s.send(carolJID, "E")
	sent := map[any]bool{}
	for range 2 { // before the draft, and in another chat
		node := l.next("message")
		sent[node.Attrs["id"]] = true
		l.ack(node, 0)
		waitFor[*interop.SendResult](s.events)
	}
	if !sent["A"] || !sent["E"] {
		t.Fatalf("sent were %v", sent)
	}
	call := drafts.next("B")
	if call.Chat != bobJID {
		t.Errorf("draft of %s", call.Chat)
	}
	l.sync() // C waits
	drafts.none()
	if message, err := s.Outgoing(context.Background(), "B"); message != nil || err != nil {
		t.Errorf("a draft is the message %v, %v", message, err)
	}
	call.succeed()
	node := l.next("message")
	if node.Attrs["id"] != "B" {
		t.Fatalf("got %s", node.String())
	}
	l.ack(node, 0)
	s.wantResult("B", nil)
	l.ack(l.next("message"), 0)
	s.wantResult("C", nil)
	drafts.next("D").succeed()
	l.ack(l.next("message"), 0)
	s.wantResult("D", nil)
	if message, err := s.Outgoing(context.Background(), "B"); err != nil || message.GetConversation() != "text of B" {
		t.Errorf("B is %v, %v", message, err)
	}
	if message, err := s.Outgoing(context.Background(), "X"); message != nil || err != nil {
		t.Errorf("an unknown message is %v, %v", message, err)
	}
}

func TestDraftsOfDifferentChatsAreCompletedSideBySide(t *testing.T) {
	drafts := newCompleter(t)
	_, s, l := started(t, drafts.option)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	s.sendDraft(bobJID, "A")
	first := drafts.next("A")
	s.sendDraft(carolJID, "B")
	drafts.next("B").succeed()
	carol.wantSent(s, l, "B")
	first.succeed()
	bob.wantSent(s, l, "A")
}

func TestCompletingIsTriedAgain(t *testing.T) {
	drafts := newCompleter(t)
	_, s, l := started(t, drafts.option)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	s.sendDraft(bobJID, "A")
	s.send(bobJID, "B")
	for range 12 { // more often than a refused message is
		drafts.next("A").fail(errors.New("homeserver does not answer"))
	}
	call := drafts.next("A")
	s.send(carolJID, "C")
	carol.wantSent(s, l, "C")
	call.succeed()
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
	s.waitState("A", interop.OutgoingSent)
}

func TestPausesBetweenTriesGrow(t *testing.T) {
	drafts, clock := newCompleter(t), newFakeClock()
	_, s, l := started(t, drafts.option, func(o *interop.Options) {
		o.Clock, o.Jitter = clock, func() float64 { return 0.99 }
	})
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
		drafts.next("A").fail(errors.New("not now"))
		clock.advance(clock.waitArmed(t, pause*9/10, pause))
	}
	drafts.next("A").succeed()
	bob.wantSent(s, l, "A")
}

func TestHopelessDraftFails(t *testing.T) {
	gone := errors.New("the file is gone")
	for name, test := range map[string]struct {
		answer completed
		want   error
	}{
		"hopeless":   {completed{err: fmt.Errorf("%w: %w", interop.ErrHopeless, gone)}, gone},
		"too large":  {completed{message: text(strings.Repeat("x", 64<<10))}, interop.ErrTooLarge},
		"no message": {completed{}, interop.ErrHopeless},
	} {
		t.Run(name, func(t *testing.T) {
			drafts := newCompleter(t)
			_, s, l := started(t, drafts.option)
			bob := newContact(t, bobJID, 1)
			l.answerAlso(answers(bob))
			s.sendDraft(bobJID, "A")
			s.send(bobJID, "B")
			release := make(chan struct{})
			s.events.intercept(func(context.Context, interop.Event) error {
				<-release
				return nil
			})
			drafts.next("A").answer <- test.answer
			node := l.next("message") // while nobody knows yet that A failed
			if node.Attrs["id"] != "B" {
				t.Fatalf("got %s", node.String())
			}
			drafts.none()
			close(release)
			s.wantResult("A", test.want)
			l.ack(node, 0)
			s.wantResult("B", nil)
			if message, err := s.Outgoing(context.Background(), "A"); message != nil || err != nil {
				t.Errorf("a failed draft is the message %v, %v", message, err)
			}
			if kept := s.waitState("A", interop.OutgoingFailed); kept.Plaintext != nil || kept.Failure == "" {
				t.Errorf("kept is %+v", kept)
			}
			drafts.none()
		})
	}
}

func TestDraftsAreRefusedAtOnce(t *testing.T) {
	s := newSubject(t, newPeer(t), newCompleter(t).option)
	ctx := context.Background()
	if err := s.SendDraft(ctx, bobJID, "A", make([]byte, 128<<10+1), ""); !errors.Is(err, interop.ErrTooLarge) {
		t.Errorf("large: got %v", err)
	}
	if err := s.SendDraft(ctx, types.ServerJID, "A", nil, ""); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("to nobody: got %v", err)
	}
	if err := s.SendDraft(ctx, bobJID, "A", make([]byte, 128<<10), ""); err != nil {
		t.Errorf("largest: got %v", err)
	}
}

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

// TestRefusedMessageBeforeADraftKeepsItsPlace has the one before refused for now while the draft is completed.
func TestRefusedMessageBeforeADraftKeepsItsPlace(t *testing.T) {
	drafts := newCompleter(t)
	_, s, l := started(t, drafts.option)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	s.sendDraft(bobJID, "B")
	node := l.next("message")
	drafts.next("B").succeed()
	if second := l.next("message"); second.Attrs["id"] != "B" { // both are on the wire
		t.Fatalf("got %s", second.String())
	} else {
		l.ack(node, 503)
		l.ack(second, 503)
	}
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
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

func TestStoreInTroubleWhileCompleting(t *testing.T) {
	drafts := newCompleter(t)
	store := &flakyCompletion{Store: newStore(), failures: 3}
	_, s, l := started(t, drafts.option, func(o *interop.Options) { o.Store = store })
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.sendDraft(bobJID, "A")
	s.send(bobJID, "B")
	drafts.next("A").succeed()
	bob.wantSent(s, l, "A")
	bob.wantSent(s, l, "B")
	drafts.none()
}

// flakyCompletion fails to store completed drafts a few times.
type flakyCompletion struct {
	interop.Store
	failures int
}

func (s *flakyCompletion) CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error {
	if s.failures--; s.failures >= 0 {
		return errStoreDown
	}
	return s.Store.CompleteOutgoing(ctx, id, plaintext)
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

// TestDraftsUnderLoad sends drafts and messages to two contacts from two goroutines over a channel that breaks.
func TestDraftsUnderLoad(t *testing.T) {
	const each = 60
	p, s, l := started(t, func(o *interop.Options) {
		o.Complete = func(_ context.Context, draft interop.Draft) (*waE2E.Message, error) {
			return text("text of " + draft.ID), nil
		}
	})
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	p.answerAlso(answers(bob, carol))
	l.answerAlso(answers(bob, carol))
	var group sync.WaitGroup
	for _, jid := range []types.JID{bobJID, carolJID} {
		group.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%s-%d", jid.User, i)
				if i%3 == 0 {
					s.sendDraft(jid, id)
				} else {
					s.send(jid, id)
				}
			}
		})
	}
	next := map[types.JID]int{}
	for acked := 0; acked < 2*each; {
		if acked == each {
			l.cut()
			l = p.login()
		}
		node := l.next("message")
		to := node.Attrs["to"].(types.JID)
		if want := fmt.Sprintf("%s-%d", to.User, next[to]); node.Attrs["id"] != want {
			t.Fatalf("got %v, want %s", node.Attrs["id"], want)
		}
		next[to]++
		acked++
		l.ack(node, 0)
		waitFor[*interop.SendResult](s.events)
	}
	group.Wait()
}
