package interop

import "time"

// Clock is where a client takes the time and its timers from.
type Clock interface {
	Now() time.Time
	// AfterFunc calls fn in its own goroutine once d has passed, unless the timer was stopped before.
	AfterFunc(d time.Duration, fn func()) Timer
}

// Timer is one pending call of [Clock.AfterFunc].
type Timer interface {
	// Stop returns true if it prevented the call.
	Stop() bool
}

// SystemClock is the machine's clock.
func SystemClock() Clock { return systemClock{} }

// systemClock is the machine's clock.
type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, fn func()) Timer { return time.AfterFunc(d, fn) }
