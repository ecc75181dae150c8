package peer

import (
	"context"
	"fmt"
	"sync"
)

// Tally counts what comes and lets one goroutine wait for a number. The zero value is ready.
type Tally struct {
	mu      sync.Mutex
	count   int
	failure error // why nothing more comes
	wanted  int
	enough  chan struct{} // closed when wanted is reached or nothing more comes; nil if nobody waits
}

// Add counts so many more. It costs no memory.
func (t *Tally) Add(count int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count += count
	t.wake()
}

// Fail says that nothing more comes. The first reason counts.
func (t *Tally) Fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
	t.wake()
}

// wake ends the wait if there is a reason to. The caller holds mu.
func (t *Tally) wake() {
	if t.enough != nil && (t.count >= t.wanted || t.failure != nil) {
		close(t.enough)
		t.enough = nil
	}
}

// Count returns how many came until now.
func (t *Tally) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

// Wait waits until so many came since the tally was made. Only one goroutine may wait at a time.
func (t *Tally) Wait(ctx context.Context, wanted int) error {
	enough := make(chan struct{})
	t.mu.Lock()
	t.wanted, t.enough = wanted, enough
	t.wake()
	t.mu.Unlock()
	select {
	case <-enough:
	case <-ctx.Done():
		return fmt.Errorf("%d of %d came: %w", t.Count(), wanted, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count < wanted {
		return fmt.Errorf("%d of %d came: %w", t.count, wanted, t.failure)
	}
	return nil
}
