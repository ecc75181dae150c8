package metrics

import (
	"context"
	"sync"
	"time"
)

const (
	// SampleEvery is how often the history looks at the counters, and HistoryLength how far back it goes. A sample takes less than 300
	// bytes, so all of it less than half a megabyte.
	SampleEvery   = 15 * time.Second
	HistoryLength = 6 * time.Hour
)

// Sample is what happened in a span of time, and what there was at its end.
type Sample struct {
	From, To            time.Time
	ToMatrix, ToContact Flow
	// Outbox and Inbox are how many messages waited at all gatekeepers together, Connected how many users were connected.
	Outbox, Inbox, Connected int
}

// History keeps what the counters showed in the last hours, in memory. It is safe for concurrent use.
type History struct {
	metrics *Metrics

	lock    sync.Mutex
	samples []Sample // oldest first
	last    reading
}

// NewHistory begins a history at a time, with what was counted so far left out.
func NewHistory(m *Metrics, now time.Time) *History { return &History{metrics: m, last: m.read(now)} }

// Run takes samples until ctx ends.
func (h *History) Run(ctx context.Context) {
	ticker := time.NewTicker(SampleEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			h.Sample(now)
		case <-ctx.Done():
			return
		}
	}
}

// Sample adds what happened since the sample before.
func (h *History) Sample(now time.Time) {
	next := h.metrics.read(now)
	h.lock.Lock()
	defer h.lock.Unlock()
	sample := Sample{
		From: h.last.at, To: next.at,
		ToMatrix: next.toMatrix.since(h.last.toMatrix), ToContact: next.toContact.since(h.last.toContact),
	}
	if next.state != nil {
		sample.Outbox, sample.Inbox, sample.Connected = next.state.sums()
	} else if before := len(h.samples) - 1; before >= 0 { // the database did not answer: as far as anybody knows nothing changed
		sample.Outbox, sample.Inbox, sample.Connected = h.samples[before].Outbox, h.samples[before].Inbox, h.samples[before].Connected
	}
	if len(h.samples) == int(HistoryLength/SampleEvery) {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, sample)
	h.last = next
}

// Samples returns at most limit samples of all that is kept, oldest first, each as long as the others: those that follow one another
// are put together. limit must be positive.
func (h *History) Samples(limit int) []Sample {
	h.lock.Lock()
	defer h.lock.Unlock()
	each := (len(h.samples) + limit - 1) / limit
	var merged []Sample
	for i, sample := range h.samples {
		if i%each == 0 {
			merged = append(merged, sample)
			continue
		}
		last := &merged[len(merged)-1]
		last.To, last.Outbox, last.Inbox, last.Connected = sample.To, sample.Outbox, sample.Inbox, sample.Connected
		last.ToMatrix, last.ToContact = last.ToMatrix.plus(sample.ToMatrix), last.ToContact.plus(sample.ToContact)
	}
	return merged
}

// sums are of all gatekeepers.
func (s *State) sums() (outbox, inbox, connected int) {
	for _, queue := range s.Outbox {
		outbox += queue.Messages
	}
	for _, count := range s.Inbox {
		inbox += count
	}
	for pair, count := range s.Connections {
		if pair.State == StateConnected {
			connected += count
		}
	}
	return outbox, inbox, connected
}
