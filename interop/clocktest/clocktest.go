// Package clocktest is a clock for tests: it stands until it is moved, and tells which timers are set.
package clocktest

import (
	"sync"
	"time"

	"postern/interop"
)

// Clock is an interop.Clock that stands until Advance moves it. Safe for concurrent use.
type Clock struct {
	// Armed gets the pause of every timer that is set. A test that waits for one takes elements until it comes.
	Armed chan time.Duration

	lock   sync.Mutex
	now    time.Time
	timers map[*timer]bool
}

var _ interop.Clock = (*Clock)(nil)

type timer struct {
	clock *Clock
	at    time.Time
	fn    func()
}

// New makes a clock that shows the real time and stands.
func New() *Clock {
	return &Clock{now: time.Now(), timers: make(map[*timer]bool), Armed: make(chan time.Duration, 100_000)}
}

// Now implements interop.Clock.
func (c *Clock) Now() time.Time {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.now
}

// AfterFunc implements interop.Clock.
func (c *Clock) AfterFunc(d time.Duration, fn func()) interop.Timer {
	c.lock.Lock()
	defer c.lock.Unlock()
	set := &timer{clock: c, at: c.now.Add(d), fn: fn}
	c.timers[set] = true
	c.Armed <- d
	return set
}

// Stop implements interop.Timer.
func (t *timer) Stop() bool {
	t.clock.lock.Lock()
	defer t.clock.lock.Unlock()
	pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	return pending
}

// Advance moves the clock and calls what is due, each in a goroutine of its own.
func (c *Clock) Advance(d time.Duration) {
	c.lock.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for set := range c.timers {
		if !set.at.After(c.now) {
			delete(c.timers, set)
			due = append(due, set.fn)
		}
	}
	c.lock.Unlock()
	for _, fn := range due {
		go fn()
	}
}
