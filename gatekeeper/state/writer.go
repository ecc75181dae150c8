package state

import (
	"context"
	"fmt"
	"sync"

	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

const (
	// maxBatch bounds one transaction: at some 30 µs an insert it holds the write lock for about 15 ms.
	maxBatch = 512
	// writeQueue is how many operations may wait before callers wait.
	writeQueue = 4 * maxBatch
)

// operation is one write; exactly one of the first three is set.
type operation struct {
	mail    []*Mail
	removed *Mail
	saw     *Saw
	done    chan<- error // nil if nobody waits
}

// writer is the goroutine that commits operations in groups. It is owned by State, which ends it in Close.
type writer struct {
	queue chan operation
	ended chan struct{}
	mu    sync.RWMutex // held for reading while sending to queue, for writing while closing it
	over  bool
}

func startWriter(s *State) *writer {
	w := &writer{queue: make(chan operation, writeQueue), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for op := range w.queue {
			batch := []operation{op}
			for len(batch) < maxBatch && len(w.queue) > 0 {
				batch = append(batch, <-w.queue)
			}
			s.commit(batch)
		}
	}()
	return w
}

func (w *writer) stop() {
	w.mu.Lock()
	if !w.over {
		w.over = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) submit(op operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.over {
		return fmt.Errorf("failed to store: the gatekeeper is stopping")
	}
	w.queue <- op
	return nil
}

// Store puts stanzas into mailboxes, all or none, and returns when they are committed. Order is kept between calls that
// follow each other.
func (s *State) Store(mail ...*Mail) error {
	done := make(chan error, 1)
	if err := s.writer.submit(operation{mail: mail, done: done}); err != nil {
		return err
	}
	return <-done
}

// StoreAsync is Store without waiting; done gets one value and must have room for it.
func (s *State) StoreAsync(done chan<- error, mail ...*Mail) {
	if err := s.writer.submit(operation{mail: mail, done: done}); err != nil {
		done <- err
	}
}

// Remove takes what a device acknowledged out of its mailbox, soon and without waiting: were it lost, the stanza would
// only be delivered once more. sender may have or lack a device number; the zero JID matches all.
func (s *State) Remove(device types.JID, class, id string, sender types.JID) {
	_ = s.writer.submit(operation{removed: &Mail{Device: device, Class: class, ID: id, Sender: sender}})
}

// commit writes a batch in one transaction. If that fails, each waiting caller gets the error.
func (s *State) commit(batch []operation) {
	woken := make(map[types.JID]struct{})
	err := s.db.DoTxn(context.Background(), nil, func(ctx context.Context) error {
		for i := range batch {
			if err := s.apply(ctx, &batch[i], woken); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(batch) > 1 {
		// One bad operation must not take the others with it.
		for i := range batch {
			s.commit(batch[i : i+1])
		}
		return
	}
	for i := range batch {
		if batch[i].done != nil {
			batch[i].done <- err
		}
		if batch[i].saw != nil {
			s.sawStored()
		}
	}
	if err == nil {
		s.mail.wake(woken)
	}
}

func (s *State) apply(ctx context.Context, op *operation, woken map[types.JID]struct{}) error {
	switch {
	case op.removed != nil:
		return s.removeMail(ctx, op.removed)
	case op.saw != nil:
		return s.insertSaw(ctx, op.saw)
	}
	for _, mail := range op.mail {
		account, sender := wire.FormatJID(mail.Device.ToNonAD()), wire.FormatJID(mail.Sender)
		if mail.Once {
			result, err := s.db.Exec(ctx, `INSERT INTO accepted (sender, id, account, device, stored)
				VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, sender, mail.ID, account, mail.Device.Device, mail.Stored)
			if err != nil {
				return fmt.Errorf("failed to note message id: %w", err)
			} else if n, _ := result.RowsAffected(); n == 0 {
				continue
			}
		}
		_, err := s.db.Exec(ctx, `INSERT INTO mailbox (account, device, class, id, sender, stanza, stored)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, account, mail.Device.Device, mail.Class, mail.ID, sender, mail.Stanza, mail.Stored)
		if err != nil {
			return fmt.Errorf("failed to store mail: %w", err)
		}
		woken[mail.Device] = struct{}{}
	}
	return nil
}

func (s *State) removeMail(ctx context.Context, mail *Mail) error {
	sender := wire.FormatJID(mail.Sender)
	_, err := s.db.Exec(ctx, `DELETE FROM mailbox WHERE account=$1 AND device=$2 AND id=$3 AND class=$4
		AND ($5='' OR sender=$5 OR sender LIKE $6)`, wire.FormatJID(mail.Device.ToNonAD()), mail.Device.Device, mail.ID,
		mail.Class, sender, anyDeviceOf(mail.Sender))
	if err != nil {
		return fmt.Errorf("failed to remove mail: %w", err)
	}
	return nil
}

// anyDeviceOf returns the LIKE pattern for all devices of an account; JIDs hold no percent signs or underscores but in
// numbers, where they cannot be.
func anyDeviceOf(jid types.JID) string {
	if jid.User == "" {
		return ""
	}
	account := jid.ToNonAD()
	whole := wire.FormatJID(account)
	user := whole[:len(whole)-len(account.Server)-1]
	return user + ":%@" + account.Server
}
