package interop

import (
	"context"
	"sync"
)

// inflight are the messages that were decrypted and are not settled yet. The gatekeeper delivers them again after a
// reconnect, since they were not acknowledged; their handler must not see them twice.
type inflight struct {
	mu      sync.Mutex
	entries map[[32]byte]*inflightEntry // nil while there are none
}

type inflightEntry struct {
	repeated bool // came again since it was begun or last settled
	// trackers are of the connections whose offline messages it belongs to.
	trackers []*offlineTracker
}

// isRepeated tells whether the message is in flight, and notes that it came again.
func (f *inflight) isRepeated(key [32]byte, tracker *offlineTracker) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	entry := f.entries[key]
	if entry == nil {
		return false
	}
	entry.repeated = true
	entry.track(tracker)
	return true
}

func (f *inflight) begin(key [32]byte, tracker *offlineTracker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.entries == nil {
		f.entries = make(map[[32]byte]*inflightEntry)
	}
	entry := &inflightEntry{}
	entry.track(tracker)
	f.entries[key] = entry
}

func (e *inflightEntry) track(tracker *offlineTracker) {
	if tracker != nil {
		tracker.begin()
		e.trackers = append(e.trackers, tracker)
	}
}

// finish forgets a message, unless it came again in the meantime: then it returns false, once.
func (f *inflight) finish(key [32]byte) bool {
	f.mu.Lock()
	entry := f.entries[key]
	if entry.repeated {
		entry.repeated = false
		f.mu.Unlock()
		return false
	}
	delete(f.entries, key)
	if len(f.entries) == 0 {
		f.entries = nil
	}
	f.mu.Unlock()
	for _, tracker := range entry.trackers {
		tracker.finish()
	}
	return true
}

// markDelivered notes in the store that the handler is done with a message. It returns false if the run ended before.
func (r *run) markDelivered(message *inbound) bool {
	return r.insist("storing a delivery", func(ctx context.Context) error {
		store := r.client.options.Store
		if len(message.parts) == 1 {
			return store.MarkDelivered(ctx, message.parts[0].hash)
		}
		return store.Atomically(ctx, func(ctx context.Context) error {
			for _, part := range message.parts {
				if err := store.MarkDelivered(ctx, part.hash); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
