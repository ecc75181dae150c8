package attendance_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/attendance"
	"postern/interop"
	"postern/interop/clocktest"
)

const idleTime = 10 * time.Second

// fakeChannel is an interop client that connects at once. What it does can be held up.
type fakeChannel struct {
	lock    sync.Mutex
	up      bool
	waiting int // what is to do
	more    bool
	err     error
	started chan struct{}
	asked   chan struct{} // IsIdle has begun; it goes on when answer has an element, if set
	answer  chan struct{}
	resting chan struct{} // the same of Rest
	rest    chan struct{}
	rested  chan struct{}
}

func newFakeChannel() *fakeChannel {
	return &fakeChannel{started: make(chan struct{}, 100_000), rested: make(chan struct{}, 100_000)}
}

func (f *fakeChannel) Start() {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.up, f.waiting = true, 0 // it does what there is to do
	f.started <- struct{}{}
}

func (f *fakeChannel) IsIdle(context.Context) (bool, error) {
	if f.asked != nil {
		f.asked <- struct{}{}
		<-f.answer
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.up && f.waiting == 0, f.err
}

func (f *fakeChannel) Rest(context.Context) (bool, error) {
	if f.resting != nil {
		f.resting <- struct{}{}
		<-f.rest
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.up = false
	f.rested <- struct{}{}
	return f.more, nil
}

func (f *fakeChannel) set(change func()) {
	f.lock.Lock()
	defer f.lock.Unlock()
	change()
}

// newAttendance makes one that starts its channel in a goroutine, as the starter does.
func newAttendance(clock interop.Clock, channel attendance.Channel) (a *attendance.Attendance) {
	a = attendance.New(zerolog.Nop(), idleTime, clock, channel, func() { go a.Begin() })
	return a
}

func end(a *attendance.Attendance) {
	a.Close()
	a.Wait()
}

// present makes an attendance that is connected and whose timer runs.
func present(t *testing.T) (*clocktest.Clock, *fakeChannel, *attendance.Attendance) {
	t.Helper()
	clock, channel := clocktest.New(), newFakeChannel()
	a := newAttendance(clock, channel)
	t.Cleanup(func() { end(a) })
	a.Need()
	<-channel.started
	<-clock.Armed
	return clock, channel, a
}

func TestIdleLoginGoesAndComesBackWhenNeeded(t *testing.T) {
	clock, channel, a := present(t)
	for range 3 {
		clock.Advance(idleTime)
		<-channel.rested
		arrived := a.Need()
		<-channel.started
		<-clock.Armed
		a.Connected()
		<-arrived
	}
}

func TestUsePutsTheEndOff(t *testing.T) {
	clock, channel, a := present(t)
	clock.Advance(idleTime - time.Second)
	a.Use()
	clock.Advance(time.Second)
	if pause := <-clock.Armed; pause != idleTime-time.Second {
		t.Errorf("it is looked again after %s", pause)
	}
	if a.IsAway() {
		t.Error("went although it was just used")
	}
	clock.Advance(idleTime)
	<-channel.rested
	if len(channel.started) != 0 {
		t.Error("started again")
	}
}

func TestWorkKeepsALoginConnected(t *testing.T) {
	for name, change := range map[string]func(*fakeChannel){
		"work":    func(f *fakeChannel) { f.waiting = 1 },
		"failure": func(f *fakeChannel) { f.err = errors.New("no database") },
		"channel": func(f *fakeChannel) { f.up = false }, // down, and tried again
	} {
		t.Run(name, func(t *testing.T) {
			clock, channel, a := present(t)
			channel.set(func() { change(channel) })
			clock.Advance(idleTime)
			if pause := <-clock.Armed; pause != idleTime || a.IsAway() {
				t.Errorf("it is looked again after %s, away is %t", pause, a.IsAway())
			}
		})
	}
}

func TestWorkThatComesWhileItIsLookedKeepsTheLogin(t *testing.T) {
	clock, channel, a := present(t)
	channel.asked, channel.answer = make(chan struct{}), make(chan struct{})
	clock.Advance(idleTime)
	<-channel.asked
	a.Need()
	channel.answer <- struct{}{}
	<-clock.Armed
	if a.IsAway() {
		t.Error("went although it was needed")
	}
}

func TestWorkThatComesWhileItLeavesConnectsAgain(t *testing.T) {
	clock, channel, a := present(t)
	channel.resting, channel.rest = make(chan struct{}), make(chan struct{})
	clock.Advance(idleTime)
	<-channel.resting
	arrived := a.Need()
	channel.rest <- struct{}{}
	<-channel.started
	a.Connected()
	<-arrived
}

func TestWhatComesFromTheGatekeeperAtTheLastMomentConnectsAgain(t *testing.T) {
	clock, channel, _ := present(t)
	channel.set(func() { channel.more = true })
	clock.Advance(idleTime)
	<-channel.started
}

func TestNothingStartsAfterTheEnd(t *testing.T) {
	clock, channel, a := present(t)
	channel.resting, channel.rest = make(chan struct{}), make(chan struct{})
	clock.Advance(idleTime)
	<-channel.resting
	a.Need()
	a.Close()
	channel.rest <- struct{}{}
	end(a)
	a.Need()
	clock.Advance(time.Hour)
	if len(channel.started) != 0 {
		t.Error("started after the end")
	}
}

// TestNothingIsForgotten lets work come at random moments: whatever comes is done in the end, and the login goes.
func TestNothingIsForgotten(t *testing.T) {
	clock, channel := clocktest.New(), newFakeChannel()
	a := newAttendance(clock, channel)
	defer end(a)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 2000 {
				channel.set(func() {
					if !channel.up {
						channel.waiting++ // else it is done at once
					}
				})
				a.Need()
				if rand.IntN(4) == 0 {
					clock.Advance(idleTime)
				}
			}
		})
	}
	group.Wait()
	for !a.IsAway() {
		clock.Advance(idleTime)
		runtime.Gosched()
	}
	channel.set(func() {
		if channel.waiting != 0 || channel.up {
			t.Errorf("%d are left, up is %t", channel.waiting, channel.up)
		}
	})
}
