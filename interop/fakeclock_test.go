package interop_test

import (
	"sync"
	"testing"
	"time"

	"postern/interop"
)

// fakeClock is a clock that stands until it is moved.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*fakeTimer]bool
	// armed gets the pause of every timer that is set.
	armed chan time.Duration
}

type fakeTimer struct {
	clock *fakeClock
	at    time.Time
	fn    func()
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Now(), timers: make(map[*fakeTimer]bool), armed: make(chan time.Duration, 1000)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, fn func()) interop.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &fakeTimer{clock: c, at: c.now.Add(d), fn: fn}
	c.timers[timer] = true
	c.armed <- d
	return timer
}

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	return pending
}

// advance moves the clock and calls what is due.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for timer := range c.timers {
		if !timer.at.After(c.now) {
			delete(c.timers, timer)
			due = append(due, timer.fn)
		}
	}
	c.mu.Unlock()
	for _, fn := range due {
		go fn()
	}
}

// waitArmed waits for a timer with a pause in the range to be set.
func (c *fakeClock) waitArmed(t *testing.T, least, most time.Duration) time.Duration {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case d := <-c.armed:
			if d >= least && d <= most {
				return d
			}
		case <-timeout:
			t.Fatalf("no timer of %s to %s was set", least, most)
		}
	}
}
