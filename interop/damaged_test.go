package interop_test

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// damagedStore cannot read the plain text of one message.
type damagedStore struct {
	interop.Store
	id types.MessageID
}

func (s *damagedStore) PendingMessages(ctx context.Context, after int64, limit int) ([]interop.Outgoing, error) {
	pending, err := s.Store.PendingMessages(ctx, after, limit)
	for i := range pending {
		if pending[i].ID == s.id {
			pending[i].Plaintext, pending[i].Damaged = nil, true
		}
	}
	return pending, err
}

func TestADamagedMessageFailsAndOthersGoOn(t *testing.T) {
	_, s, l := started(t, func(o *interop.Options) { o.Store = &damagedStore{Store: newStore(), id: "A"} })
	l.answerAlso(answers(newContact(t, bobJID, 1)))
	s.send(bobJID, "A")
	s.wantResult("A", interop.ErrDamaged)
	s.send(bobJID, "B")
	l.ack(l.next("message"), 0)
	s.wantResult("B", nil)
	s.waitState("A", interop.OutgoingFailed)
}
