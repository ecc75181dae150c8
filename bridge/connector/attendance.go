package connector

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"postern/interop"
)

// attendance keeps a login of an on-demand gatekeeper connected while there is something to do, and until idle has passed after
// that. It is safe for concurrent use, and nothing runs for a login that is away.
//
// What makes work is stored before need is called: in the outbox, or at the gatekeeper. So whatever comes while the channel is
// being closed is found by the next connection, which need asks for.
type attendance struct {
	idle    time.Duration
	clock   interop.Clock
	channel channel
	// start begins to connect, by a call of begin, soon. It is called with lock held.
	start func()

	life context.Context
	end  context.CancelFunc
	// looking are the looks that are under way.
	looking sync.WaitGroup

	lock    sync.Mutex
	state   attendanceState
	lastUse time.Time
	uses    uint64
	again   bool // needed again while it leaves
	timer   interop.Timer
	arrived chan struct{} // closed at the first connection since the login was away
}

// channel is the part of an interop client that attendance decides about.
type channel interface {
	Start()
	IsIdle(ctx context.Context) (bool, error)
	Rest(ctx context.Context) (more bool, err error)
}

type attendanceState int

const (
	away attendanceState = iota
	present
	leaving
	over // for good
)

func newAttendance(log zerolog.Logger, idle time.Duration, clock interop.Clock, channel channel, start func()) *attendance {
	a := &attendance{idle: idle, clock: clock, channel: channel, start: start, arrived: make(chan struct{})}
	a.life, a.end = context.WithCancel(log.WithContext(context.Background()))
	return a
}

// need connects unless the login is connected already, and returns what is closed when it is.
func (a *attendance) need() <-chan struct{} {
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

// use keeps the login connected for a while longer, if it is.
func (a *attendance) use() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.useLocked()
}

func (a *attendance) useLocked() {
	a.lastUse = a.clock.Now()
	a.uses++
}

func (a *attendance) comeLocked() {
	a.state = present
	a.start()
	a.armLocked(a.idle)
}

func (a *attendance) armLocked(pause time.Duration) { a.timer = a.clock.AfterFunc(pause, a.look) }

// begin is what start leads to. It returns false, and nothing is started, if the login is not to be connected any more.
func (a *attendance) begin() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.state != present {
		return false
	}
	a.channel.Start()
	return true
}

// connected is told when the channel is up.
func (a *attendance) connected() {
	a.lock.Lock()
	defer a.lock.Unlock()
	select {
	case <-a.arrived:
	default:
		close(a.arrived)
	}
}

// close ends it for good: nothing is started after it, and need returns a channel that is never closed. It does not stop the
// interop client, and does not wait for a look that is under way; wait does.
func (a *attendance) close() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.state = over
	a.end()
	if a.timer != nil {
		a.timer.Stop()
	}
}

// wait returns when no look is under way. close must have been called.
func (a *attendance) wait() { a.looking.Wait() }

// look disconnects if nothing was to do for long enough, and sets the timer for the next look otherwise.
func (a *attendance) look() {
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
func (a *attendance) leave() {
	ctx, cancel := context.WithTimeout(a.life, DisconnectTimeout)
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

// isAway tells whether the login is not connected and nobody wants that.
func (a *attendance) isAway() bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	return a.state == away
}
