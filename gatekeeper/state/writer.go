package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

const (
	// maxBatch bounds one transaction: at some 20 µs an insert it holds the write lock for about 10 ms.
	maxBatch = 512
	// writeQueue is how many operations may wait before callers wait.
	writeQueue = 4 * maxBatch
)

// errStopping is what operations get that come after Close.
var errStopping = errors.New("failed to store: the gatekeeper is stopping")

// operation is one write; exactly one of the first three is set.
type operation struct {
	mail    []*Mail
	removed []int64 // Seq of mail
	saw     *Saw
	done    chan<- error // nil if nobody waits
}

// writer is the goroutine that commits operations in groups. It is owned by State, which ends it in Close.
type writer struct {
	queue      chan operation
	ended      chan struct{}
	statements *statements  // owned by the goroutine
	mu         sync.RWMutex // held for reading while sending to queue, for writing while closing it
	over       bool
}

func startWriter(ctx context.Context, s *State) (*writer, error) {
	prepared, err := prepare(ctx, s.db.RawDB)
	if err != nil {
		return nil, err
	}
	w := &writer{queue: make(chan operation, writeQueue), ended: make(chan struct{}), statements: prepared}
	go func() {
		defer close(w.ended)
		for op := range w.queue {
			batch := []operation{op}
			for len(batch) < maxBatch && len(w.queue) > 0 {
				batch = append(batch, <-w.queue)
			}
			s.commit(w.statements, batch)
		}
	}()
	return w, nil
}

// stop commits what waits and ends the goroutine.
func (w *writer) stop() error {
	w.mu.Lock()
	if !w.over {
		w.over = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
	return w.statements.close()
}

func (w *writer) submit(op operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.over {
		return errStopping
	}
	w.queue <- op
	return nil
}

// Store puts stanzas into mailboxes, all or none, and returns when they are committed. Order is kept between calls that
// follow each other.
func (s *State) Store(mail ...*Mail) error {
	done := make(chan error, 1)
	s.StoreAsync(done, mail...)
	return <-done
}

// StoreAsync is Store without waiting; done gets one value and must have room for it. Values come in the order of calls.
// done may be nil if nobody wants to know.
func (s *State) StoreAsync(done chan<- error, mail ...*Mail) {
	if err := s.writer.submit(operation{mail: mail, done: done}); err != nil && done != nil {
		done <- err
	}
}

// Remove takes what a device acknowledged out of its mailbox, soon and without waiting: were it lost, the stanza would
// only be delivered once more.
func (s *State) Remove(seqs ...int64) {
	_ = s.writer.submit(operation{removed: seqs})
}

// commit writes a batch in one transaction. If that fails, each waiting caller gets the error.
func (s *State) commit(to *statements, batch []operation) {
	woken := make(map[types.JID]struct{})
	err := to.transaction(func(ctx context.Context) error {
		for i := range batch {
			if err := to.apply(ctx, &batch[i], woken); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(batch) > 1 {
		// One bad operation must not take the others with it.
		for i := range batch {
			s.commit(to, batch[i:i+1])
		}
		return
	}
	noted := false
	for i := range batch {
		if batch[i].done != nil {
			batch[i].done <- err
		}
		noted = noted || batch[i].saw != nil
	}
	if err == nil {
		s.mail.wake(woken)
	}
	if noted {
		s.sawStored()
	}
}

func (t *statements) apply(ctx context.Context, op *operation, woken map[types.JID]struct{}) error {
	for _, seq := range op.removed {
		if _, err := t.remove.ExecContext(ctx, seq); err != nil {
			return fmt.Errorf("failed to remove mail: %w", err)
		}
	}
	for _, mail := range op.mail {
		if err := t.applyMail(ctx, mail, woken); err != nil {
			return err
		}
	}
	if op.saw != nil {
		text, err := json.Marshal(op.saw)
		if err == nil {
			_, err = t.saw.ExecContext(ctx, op.saw.Time, string(text))
		}
		if err != nil {
			return fmt.Errorf("failed to store record: %w", err)
		}
	}
	return nil
}

func (t *statements) applyMail(ctx context.Context, mail *Mail, woken map[types.JID]struct{}) error {
	account, sender := wire.FormatJID(mail.Device.ToNonAD()), wire.FormatJID(mail.Sender)
	if mail.Once {
		result, err := t.accept.ExecContext(ctx, sender, mail.ID, account, mail.Device.Device, mail.Stored)
		if err != nil {
			return fmt.Errorf("failed to note message id: %w", err)
		} else if n, _ := result.RowsAffected(); n == 0 {
			return nil
		}
		if _, err = t.contact.ExecContext(ctx, account, wire.FormatJID(mail.Sender.ToNonAD())); err != nil {
			return fmt.Errorf("failed to note contact: %w", err)
		}
	}
	_, err := t.mail.ExecContext(ctx, account, mail.Device.Device, mail.Class, mail.ID, sender, mail.Stanza, mail.Stored)
	if err != nil {
		return fmt.Errorf("failed to store mail: %w", err)
	}
	woken[mail.Device] = struct{}{}
	return nil
}
