package memstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// received is an entry of the inbox. delivered is the zero time until MarkDelivered.
type received struct {
	plaintext []byte
	delivered time.Time
}

// Enqueue implements [interop.Outbox].
func (s *Store) Enqueue(ctx context.Context, message interop.Outgoing) (added bool, err error) {
	err = s.locked(ctx, func() error {
		if _, exists := s.outbox[message.ID]; exists {
			return nil
		}
		last := s.outboxSeq
		s.undo = append(s.undo, func() { s.outboxSeq = last })
		s.outboxSeq++
		message.Seq, message.State, message.Devices, message.Failure = s.outboxSeq, interop.OutgoingPending, nil, ""
		put(s, s.outbox, message.ID, &message)
		s.setPending(message.Seq, message.ID)
		s.undo = append(s.undo, func() { s.unsetPending(message.Seq) })
		added = true
		return nil
	})
	return added, err
}

// PendingMessages implements [interop.Outbox].
func (s *Store) PendingMessages(ctx context.Context, after int64, limit int) (pending []interop.Outgoing, err error) {
	err = s.locked(ctx, func() error {
		first, _ := slices.BinarySearch(s.pendingSeqs, after+1)
		for _, seq := range s.pendingSeqs[first:] {
			if len(pending) == limit {
				break
			}
			pending = append(pending, clone(s.outbox[s.pending[seq]]))
		}
		return nil
	})
	return pending, err
}

// setPending and unsetPending keep the index of pending messages; each is the other's way back.
func (s *Store) setPending(seq int64, id types.MessageID) {
	at, _ := slices.BinarySearch(s.pendingSeqs, seq)
	s.pendingSeqs = slices.Insert(s.pendingSeqs, at, seq)
	s.pending[seq] = id
}

func (s *Store) unsetPending(seq int64) {
	if at, found := slices.BinarySearch(s.pendingSeqs, seq); found {
		s.pendingSeqs = slices.Delete(s.pendingSeqs, at, at+1)
	}
	delete(s.pending, seq)
}

// FindOutgoing implements [interop.Outbox].
func (s *Store) FindOutgoing(ctx context.Context, id types.MessageID) (message *interop.Outgoing, err error) {
	err = s.locked(ctx, func() error {
		if found, ok := s.outbox[id]; ok {
			copied := clone(found)
			message = &copied
		}
		return nil
	})
	return message, err
}

// CompleteOutgoing implements [interop.Outbox].
func (s *Store) CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error {
	return s.locked(ctx, func() error {
		found, ok := s.outbox[id]
		if !ok || found.State != interop.OutgoingPending || !found.Draft {
			return nil
		}
		completed := *found
		completed.Plaintext, completed.Draft = plaintext, false
		put(s, s.outbox, id, &completed)
		return nil
	})
}

// SetOutgoingSent implements [interop.Outbox].
func (s *Store) SetOutgoingSent(ctx context.Context, id types.MessageID, devices []uint16) error {
	return s.endPending(ctx, id, func(message *interop.Outgoing) {
		message.State, message.Devices = interop.OutgoingSent, slices.Clone(devices)
	})
}

// SetOutgoingFailed implements [interop.Outbox].
func (s *Store) SetOutgoingFailed(ctx context.Context, id types.MessageID, failure string) error {
	return s.endPending(ctx, id, func(message *interop.Outgoing) {
		message.State, message.Failure, message.Plaintext = interop.OutgoingFailed, failure, nil
	})
}

// endPending changes a message that is pending into one that is not.
func (s *Store) endPending(ctx context.Context, id types.MessageID, change func(message *interop.Outgoing)) error {
	return s.locked(ctx, func() error {
		found, ok := s.outbox[id]
		if !ok || found.State != interop.OutgoingPending {
			return nil
		}
		changed := *found
		change(&changed)
		put(s, s.outbox, id, &changed)
		s.unsetPending(changed.Seq)
		s.undo = append(s.undo, func() { s.setPending(changed.Seq, id) })
		return nil
	})
}

// PruneOutgoing implements [interop.Outbox].
func (s *Store) PruneOutgoing(ctx context.Context, keep int, before time.Time) error {
	return s.locked(ctx, func() error {
		var done []*interop.Outgoing
		for _, message := range s.outbox {
			if message.State != interop.OutgoingPending {
				done = append(done, message)
			}
		}
		slices.SortFunc(done, bySeq)
		slices.Reverse(done)
		for i, message := range done {
			if i >= keep || message.Created.Before(before) {
				drop(s, s.outbox, message.ID)
			}
		}
		return nil
	})
}

func bySeq(a, b *interop.Outgoing) int { return cmp.Compare(a.Seq, b.Seq) }

func clone(message *interop.Outgoing) interop.Outgoing {
	copied := *message
	copied.Plaintext, copied.Devices = bytes.Clone(message.Plaintext), slices.Clone(message.Devices)
	return copied
}

// PutReceived implements [interop.Inbox].
func (s *Store) PutReceived(ctx context.Context, hash [32]byte, plaintext []byte) error {
	return s.locked(ctx, func() error {
		put(s, s.inbox, hash, received{plaintext: plaintext})
		return nil
	})
}

// FindReceived implements [interop.Inbox].
func (s *Store) FindReceived(ctx context.Context, hash [32]byte) (plaintext []byte, ok bool, err error) {
	err = s.locked(ctx, func() error {
		var entry received
		entry, ok = s.inbox[hash]
		plaintext = bytes.Clone(entry.plaintext)
		return nil
	})
	return plaintext, ok, err
}

// MarkDelivered implements [interop.Inbox].
func (s *Store) MarkDelivered(ctx context.Context, hash [32]byte) error {
	return s.locked(ctx, func() error {
		if entry, ok := s.inbox[hash]; ok && entry.delivered.IsZero() {
			put(s, s.inbox, hash, received{delivered: s.now()})
		}
		return nil
	})
}

// PruneReceived implements [interop.Inbox].
func (s *Store) PruneReceived(ctx context.Context, before time.Time) error {
	return s.locked(ctx, func() error {
		for hash, entry := range s.inbox {
			if !entry.delivered.IsZero() && entry.delivered.Before(before) {
				drop(s, s.inbox, hash)
			}
		}
		return nil
	})
}
