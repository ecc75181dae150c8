package interop_test

import (
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// replaced ends the connection, so that the client pauses for minutes, and returns the pause.
func (l *link) replaced(s *subject, clock *fakeClock) time.Duration {
	l.t.Helper()
	l.send(waBinary.Node{Tag: "stream:error", Content: []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "replaced"}}}})
	down := waitFor[*interop.Disconnected](s.events)
	l.waitClosed()
	return clock.waitArmed(l.t, down.RetryIn, down.RetryIn)
}

func TestWakeEndsThePauseButNotTheBackoff(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) {
		o.Clock = clock
		o.Jitter = func() float64 { return 0.999999 }
	})
	s.Wake() // not started
	s.Start()
	for i, least := range []time.Duration{900 * time.Millisecond, 1900 * time.Millisecond, 3900 * time.Millisecond} {
		l := p.accept()
		l.send(failure(503))
		l.waitClosed()
		down := waitFor[*interop.Disconnected](s.events)
		if down.RetryIn < least {
			t.Errorf("pause %d is %s", i, down.RetryIn)
		}
		clock.waitArmed(t, down.RetryIn, down.RetryIn)
		s.Wake()
		s.Wake()
		rest := clock.waitArmed(t, time.Millisecond, time.Second)
		if rest < 900*time.Millisecond {
			t.Errorf("woken again and again, it tries again after %s", rest)
		}
		clock.advance(rest)
	}
	l := p.login()
	waitFor[*interop.Connected](s.events)
	l.replaced(s, clock)
	clock.advance(2 * time.Second)
	s.Wake() // so much of the pause is over that it ends at once
	p.login()
}

func TestWakeOfWhoIsConnectedIsForgotten(t *testing.T) {
	clock := newFakeClock()
	p, s, l := started(t, func(o *interop.Options) { o.Clock = clock })
	s.Wake()
	pause := l.replaced(s, clock)
	clock.advance(pause)
	p.login()
	for {
		select {
		case d := <-clock.armed:
			if d <= time.Second {
				t.Errorf("the pause was shortened to %s", d)
			}
		default:
			return
		}
	}
}

func TestStopEndsAPauseThatWasWoken(t *testing.T) {
	clock := newFakeClock()
	_, s, l := started(t, func(o *interop.Options) { o.Clock = clock })
	l.replaced(s, clock)
	s.Wake()
	clock.waitArmed(t, time.Millisecond, time.Second)
	s.stop()
}
