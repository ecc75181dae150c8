package interop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

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
