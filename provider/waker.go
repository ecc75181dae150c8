package provider

import (
	"context"
	"sync"
	"time"
)

const (
	// wakePause is the time between two rounds: a user is woken ten times a second at most, and the first push after a
	// quiet time at once.
	wakePause = 100 * time.Millisecond
	// maxWaking is how many users may wait for one round.
	maxWaking = 8192
)

// wakeUp names a user of a gatekeeper.
type wakeUp struct{ gatekeeper, user string }

// waker wakes users, each once however many pushes came meanwhile. It is safe for concurrent use.
type waker struct {
	wake func(ctx context.Context, gatekeeper, user string)
	// work holds an element while anybody waits.
	work chan struct{}

	mu      sync.Mutex
	waiting map[wakeUp]struct{}
}

func newWaker(wake func(ctx context.Context, gatekeeper, user string)) *waker {
	return &waker{wake: wake, work: make(chan struct{}, 1), waiting: make(map[wakeUp]struct{})}
}

// add returns at once; false if too many wait.
func (w *waker) add(who wakeUp) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, there := w.waiting[who]; !there && len(w.waiting) >= maxWaking {
		return false
	}
	w.waiting[who] = struct{}{}
	select {
	case w.work <- struct{}{}:
	default:
	}
	return true
}

// run wakes who waits until ctx ends. Who waits then is woken by the next start anyway.
func (w *waker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.work:
		}
		w.mu.Lock()
		round := w.waiting
		w.waiting = make(map[wakeUp]struct{})
		w.mu.Unlock()
		for who := range round {
			if ctx.Err() != nil {
				return
			}
			w.wake(ctx, who.gatekeeper, who.user)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wakePause):
		}
	}
}
