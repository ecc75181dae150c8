package interop_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"postern/interop"
)

// doubtfulStore stores a message and loses the answer to the first, as a database does whose connection ends in a commit.
type doubtfulStore struct {
	interop.Store
	lost atomic.Bool
}

func (s *doubtfulStore) Enqueue(ctx context.Context, message interop.Outgoing) (bool, error) {
	added, err := s.Store.Enqueue(ctx, message)
	if !s.lost.Swap(true) {
		return false, errStoreDown
	}
	return added, err
}

func TestAMessageWhoseStoringWasInDoubtIsSent(t *testing.T) {
	_, s, l := started(t, func(o *interop.Options) { o.Store = &doubtfulStore{Store: newStore()} })
	l.answerAlso(answers(newContact(t, bobJID, 1)))
	if err := s.Send(context.Background(), bobJID, "A", text("text of A"), "ref of A"); !errors.Is(err, errStoreDown) {
		t.Fatalf("got %v", err)
	}
	s.send(bobJID, "A") // as the homeserver does that got no answer
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
}
