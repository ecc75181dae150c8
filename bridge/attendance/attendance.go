// Package attendance decides when a login of an on-demand gatekeeper is connected: the state machine of one login, with a clock of its own and
// without the network.
package attendance

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"postern/interop"
)

// Attendance keeps a login of an on-demand gatekeeper connected while there is something to do, and until idle has passed after
// that. It is safe for concurrent use, and nothing runs for a login that is away.
//
// What makes work is stored before Need is called: in the outbox, or at the gatekeeper. So whatever comes while the channel is
// being closed is found by the next connection, which Need asks for.
type Attendance struct {
	idle    time.Duration
	clock   interop.Clock
	channel Channel
	// start begins to connect, by a call of Begin, soon. It is called with lock held.
	start func()

	life context.Context
	end  context.CancelFunc
	// looking are the looks that are under way.
	looking sync.WaitGroup

	lock    sync.Mutex
	state   state
	lastUse time.Time
	uses    uint64
	again   bool // needed again while it leaves
	timer   interop.Timer
	arrived chan struct{} // closed at the first connection since the login was away
}

// Channel is the part of an interop client that attendance decides about.
type Channel interface {
	Start()
	IsIdle(ctx context.Context) (bool, error)
	Rest(ctx context.Context) (more bool, err error)
}

// restTimeout is when a rest no longer waits for the channel.
const restTimeout = 5 * time.Second

// state is where a login stands.
type state int

const (
	away state = iota
	present
	leaving
	over // for good
)

// New makes an attendance of a login that is away. start has to call Begin soon, from another goroutine; Close ends it.
func New(log zerolog.Logger, idle time.Duration, clock interop.Clock, channel Channel, start func()) *Attendance {
	a := &Attendance{idle: idle, clock: clock, channel: channel, start: start, arrived: make(chan struct{})}
	a.life, a.end = context.WithCancel(log.WithContext(context.Background()))
	return a
}

// Need connects unless the login is connected already, and returns what is closed when it is.
func (a *Attendance) Need() <-chan struct{} {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.useLocked()
	switch a.state {
	case away:
		a.comeLocked()
	case leaving:
		a.again = true
	}
	return a.arrived
}

// Use keeps the login connected for a while longer, if it is.
func (a *Attendance) Use() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.useLocked()
}

func (a *Attendance) useLocked() {
	a.lastUse = a.clock.Now()
	a.uses++
}

func (a *Attendance) comeLocked() {
	a.state = present
	a.start()
	a.armLocked(a.idle)
}

func (a *Attendance) armLocked(pause time.Duration) { a.timer = a.clock.AfterFunc(pause, a.look) }

// Begin is what start leads to. It returns false, and nothing is started, if the login is not to be connected any more.
func (a *Attendance) Begin() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.state != present {
		return false
	}
	a.channel.Start()
	return true
}

// Connected is told when the channel is up.
func (a *Attendance) Connected() {
	a.lock.Lock()
	defer a.lock.Unlock()
	select {
	case <-a.arrived:
	default:
		close(a.arrived)
	}
}

// Close ends it for good: nothing is started after it, and Need returns a channel that is never closed. It does not stop the
// interop client, and does not wait for a look that is under way; Wait does.
func (a *Attendance) Close() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.state = over
	a.end()
	if a.timer != nil {
		a.timer.Stop()
	}
}

// Wait returns when no look is under way. Close must have been called.
func (a *Attendance) Wait() { a.looking.Wait() }

// look disconnects if nothing was to do for long enough, and sets the timer for the next look otherwise.
func (a *Attendance) look() {
	a.lock.Lock()
	if a.state != present {
		a.lock.Unlock()
		return
	}
	a.looking.Add(1)
	defer a.looking.Done()
	if rest := a.idle - a.clock.Now().Sub(a.lastUse); rest > 0 {
		a.armLocked(rest)
		a.lock.Unlock()
		return
	}
	uses := a.uses
	a.lock.Unlock()
	idle, err := a.channel.IsIdle(a.life)
	if err != nil {
		zerolog.Ctx(a.life).Err(err).Msg("Failed to find out whether a login is idle")
	}
	a.lock.Lock()
	if a.state != present {
		a.lock.Unlock()
		return
	}
	if err != nil || !idle || a.uses != uses {
		a.armLocked(a.idle)
		a.lock.Unlock()
		return
	}
	a.state = leaving
	a.arrived = make(chan struct{})
	a.lock.Unlock()
	a.leave()
}

// leave disconnects, and connects again if that was needed meanwhile.
func (a *Attendance) leave() {
	ctx, cancel := context.WithTimeout(a.life, restTimeout)
	more, err := a.channel.Rest(ctx)
	cancel()
	if err != nil {
		zerolog.Ctx(a.life).Warn().Err(err).Msg("An idle chat channel did not stop in time")
	}
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.state != leaving {
		return
	}
	a.state = away
	if more || a.again {
		a.again = false
		a.useLocked()
		a.comeLocked()
	}
}

// IsAway tells whether the login is not connected and nobody wants that.
func (a *Attendance) IsAway() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.state == away
}

// Arrived returns what is closed when the login is connected. It is nil if nobody wants that now.
func (a *Attendance) Arrived() <-chan struct{} {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.state != present {
		return nil
	}
	return a.arrived
}
