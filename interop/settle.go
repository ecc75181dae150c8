package interop

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
)

const (
	// outboxKept and outboxAge bound what is kept of sent messages, for retry receipts: their plain text is in it.
	outboxKept = 1000
	outboxAge  = 14 * 24 * time.Hour
	// pruneAfter is how many messages are settled between two looks for what can be forgotten.
	pruneAfter = 250
)

// settler stores the ends of messages, as many at a time as there are. Its goroutine exists only while there are any.
type settler struct {
	mu      sync.Mutex
	working bool
	ends    []messageEnd
	// sincePrune counts what was settled since the last look, pruned tells whether there was one in this run. Owned by the
	// goroutine.
	sincePrune int
	pruned     bool
}

type messageEnd struct {
	id      types.MessageID
	devices []uint16 // who it was encrypted for, if it did not fail
	failed  bool
	failure string
}

// finish tells the handler the fate of a message and then stores it. In this order: if the program ends in between, the
// message is sent again, acknowledged again and told again; the other way round the result would be lost.
func (o *outbox) finish(message *tracked, fate error) {
	event := &SendResult{ID: message.id, Chat: message.chat, Ref: message.ref, Kind: message.kind, Queued: message.created, Err: fate}
	end := messageEnd{id: message.id, devices: message.devices}
	if fate != nil {
		end.failed, end.failure = true, cut(fate.Error(), maxErrorText)
	}
	o.mu.Lock()
	if fate == nil {
		o.succeeded(message.chat)
	} else if held := o.holds[message.chat]; held != nil {
		delete(held.tries, message.id)
	}
	o.mu.Unlock()
	o.run.queues.add(message.chat, job{run: func() {
		if fate == nil {
			o.run.tell(event)
		} else if !o.run.deliver(event) {
			return // the run ends before the sender knows: the next one finds the message pending
		}
		o.end(end)
	}})
}

// end stores how a message ended, soon.
func (o *outbox) end(end messageEnd) {
	s := &o.settling
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ends = append(s.ends, end)
	if !s.working {
		s.working = o.run.spawn(o.settle) // else stop does it
	}
}

// settle stores ends until there are none left. On an error of the store it tries again until the run ends; what is
// not stored by then is sent and told again by the next run.
func (o *outbox) settle() {
	s := &o.settling
	for {
		s.mu.Lock()
		ends := s.ends
		s.ends = nil
		if len(ends) == 0 {
			s.working = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		stored := o.run.insist("storing results", func(ctx context.Context) error { return o.store(ctx, ends) })
		if !stored {
			s.mu.Lock()
			s.working = false
			s.mu.Unlock()
			return
		}
		o.mu.Lock()
		for _, end := range ends {
			delete(o.tracked, end.id)
		}
		o.wakeLocked() // there may be room again
		o.mu.Unlock()
	}
}

func (e *messageEnd) store(ctx context.Context, store Outbox) error {
	if e.failed {
		return store.SetOutgoingFailed(ctx, e.id, e.failure)
	}
	return store.SetOutgoingSent(ctx, e.id, e.devices)
}

func (o *outbox) store(ctx context.Context, ends []messageEnd) error {
	store := o.run.client.options.Store
	err := store.Atomically(ctx, func(ctx context.Context) error {
		for _, end := range ends {
			if err := end.store(ctx, store); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	o.settling.sincePrune += len(ends)
	if o.settling.pruned && o.settling.sincePrune < pruneAfter {
		return nil
	}
	o.settling.pruned, o.settling.sincePrune = true, 0
	if err = store.PruneOutgoing(ctx, outboxKept, o.run.client.options.Clock.Now().Add(-outboxAge)); err != nil {
		o.run.log.Warn().Err(err).Msg("Failed to forget old sent messages")
	}
	return nil
}
