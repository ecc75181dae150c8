package interop_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"

	"postern/interop"
	"postern/interop/wire"
)

func TestLoginSaysWhoIsThere(t *testing.T) {
	for product, want := range map[interop.Product]waWa6.ClientPayload_Product{
		interop.ProductWhatsApp:  waWa6.ClientPayload_INTEROP,
		interop.ProductMessenger: waWa6.ClientPayload_INTEROP_MSGR,
	} {
		t.Run(string(product), func(t *testing.T) {
			_, s, l := started(t, func(o *interop.Options) {
				o.Gatekeeper.Product = product
				o.ReadReceipts = func() bool { return true }
			})
			if l.static != s.options.Account.Keys.Noise.Pub {
				t.Error("static key is not the enlisted one")
			}
			version := l.payload.GetUserAgent().GetAppVersion()
			got := []any{
				l.payload.GetProduct(), l.payload.GetInteropData().GetAccountID(), string(l.payload.GetInteropData().GetToken()),
				l.payload.GetInteropData().GetEnableReadReceipts(), l.payload.GetPassive(), l.payload.GetPull(),
				version.GetPrimary(), version.GetSecondary(), version.GetTertiary(),
			}
			wanted := []any{
				want, uint64(1001), "token 1 for @alice:example.org at sandbox audience", true, true, true, uint32(1), uint32(2), uint32(3),
			}
			for i := range got {
				if got[i] != wanted[i] {
					t.Errorf("field %d: got %v, want %v", i, got[i], wanted[i])
				}
			}
			if !s.IsConnected() {
				t.Error("not connected after the login")
			}
		})
	}
}

func TestEndsForGood(t *testing.T) {
	streamError := func(code int, conflict string) waBinary.Node {
		node := waBinary.Node{Tag: "stream:error"}
		if code != 0 {
			node.Attrs = waBinary.Attrs{"code": code}
		}
		if conflict != "" {
			node.Content = []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": conflict}}}
		}
		return node
	}
	for name, test := range map[string]struct {
		node waBinary.Node
		want error
	}{
		"Failure401":    {failure(401), interop.ErrNotEnlisted},
		"Failure403":    {failure(403), interop.ErrNotEnlisted},
		"Failure406":    {failure(406), interop.ErrNotEnlisted},
		"Failure415":    {failure(415), interop.ErrNotEnlisted},
		"Failure418":    {failure(418), interop.ErrNotEnlisted},
		"Failure405":    {failure(405), interop.ErrOutdated},
		"Failure409":    {failure(409), interop.ErrOutdated},
		"DeviceRemoved": {streamError(401, "device_removed"), interop.ErrNotEnlisted},
		"Stream401":     {streamError(401, ""), interop.ErrNotEnlisted},
		"Stream409":     {streamError(409, ""), interop.ErrOutdated},
	} {
		for _, when := range []string{"AtLogin", "Later"} {
			t.Run(name+when, func(t *testing.T) {
				p := newPeer(t)
				s := newSubject(t, p)
				s.Start()
				var l *link
				if when == "AtLogin" {
					l = p.accept()
				} else {
					l = p.login()
				}
				l.send(test.node)
				if ended := waitFor[*interop.Ended](s.events); !errors.Is(ended.Err, test.want) {
					t.Errorf("got %v, want %v", ended.Err, test.want)
				}
				l.waitClosed()
				s.stop()
				s.events.none()
				if s.IsConnected() {
					t.Error("still connected")
				}
				// It can be started again, such as after enlisting anew.
				s.Start()
				p.login()
				waitFor[*interop.Connected](s.events)
			})
		}
	}
}

func failure(reason int) waBinary.Node {
	return waBinary.Node{Tag: "failure", Attrs: waBinary.Attrs{"reason": reason}}
}

func TestTriesAgain(t *testing.T) {
	for name, node := range map[string]waBinary.Node{
		"Failure500":   failure(500),
		"Failure503":   failure(503),
		"FailureOther": failure(999),
		"FailureEmpty": {Tag: "failure"},
		"Stream515":    {Tag: "stream:error", Attrs: waBinary.Attrs{"code": 515}},
		"StreamEmpty":  {Tag: "stream:error"},
		"Nonsense":     {Tag: "message"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t)
			s := newSubject(t, p)
			s.Start()
			first := p.accept()
			first.send(node)
			if down := waitFor[*interop.Disconnected](s.events); down.Err == nil || down.RetryIn <= 0 {
				t.Errorf("got %+v", down)
			}
			first.waitClosed()
			p.login()
			waitFor[*interop.Connected](s.events)
		})
	}
}

func TestReconnectsAfterTheConnectionWasLost(t *testing.T) {
	p, s, l := started(t)
	for range 3 {
		l.cut()
		if down := waitFor[*interop.Disconnected](s.events); down.Err == nil {
			t.Error("no reason given")
		}
		l = p.login()
		waitFor[*interop.Connected](s.events)
	}
}

func TestMalformedBytesEndTheConnectionOnly(t *testing.T) {
	p, s, l := started(t)
	l.lax = true
	if err := l.conn.WriteStanzas(context.Background(), []byte{0, 250, 250, 250}); err != nil {
		t.Fatal(err)
	}
	if down := waitFor[*interop.Disconnected](s.events); !errors.Is(down.Err, wire.ErrMalformed) {
		t.Errorf("got %v", down.Err)
	}
	p.login()
	waitFor[*interop.Connected](s.events)
}

func TestReplacedConnectionComesBackAfterMinutes(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	s.Start()
	l := p.login()
	l.send(waBinary.Node{Tag: "stream:error", Content: []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "replaced"}}}})
	down := waitFor[*interop.Disconnected](s.events)
	if !errors.Is(down.Err, interop.ErrReplaced) || down.RetryIn < 5*time.Minute {
		t.Errorf("got %+v", down)
	}
	l.waitClosed()
	clock.waitArmed(t, down.RetryIn, down.RetryIn)
	clock.advance(down.RetryIn)
	p.login()
	waitFor[*interop.Connected](s.events)
}

func TestRejectedTokensAreReplacedForEver(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	s.Start()
	var tokens [][]byte
	wait := func() *interop.Disconnected {
		down := waitFor[*interop.Disconnected](s.events)
		clock.waitArmed(t, down.RetryIn, down.RetryIn)
		clock.advance(down.RetryIn)
		return down
	}
	reject := func(code int, reported bool) {
		t.Helper()
		l := p.accept()
		tokens = append(tokens, l.payload.GetInteropData().GetToken())
		l.send(failure(code))
		l.waitClosed()
		down := wait()
		if errors.Is(down.Err, interop.ErrTokenRefused) != reported || down.RetryIn > time.Minute != reported {
			t.Errorf("token %d: got %+v", len(tokens), down)
		}
	}
	reject(413, false)
	reject(414, false)
	p.login().cut() // a success starts the count again
	wait()
	reject(413, false)
	reject(413, false)
	reject(414, true)
	reject(413, true)
	p.login()
	waitFor[*interop.Connected](s.events)
	for i, token := range tokens {
		for _, other := range tokens[:i] {
			if bytes.Equal(token, other) {
				t.Errorf("token %q was used twice", token)
			}
		}
	}
}

func TestTokenSourceInTrouble(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p)
	trouble := errors.New("partner server is down")
	s.tokens.err = trouble
	s.Start()
	if down := waitFor[*interop.Disconnected](s.events); !errors.Is(down.Err, trouble) {
		t.Errorf("got %v", down.Err)
	}
	s.tokens.mu.Lock()
	s.tokens.err = nil
	s.tokens.mu.Unlock()
	p.login()
	waitFor[*interop.Connected](s.events)
}

func TestWrongRootKey(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) { o.Gatekeeper.RootKey = wire.NewKeyPair().Pub })
	s.Start()
	if down := waitFor[*interop.Disconnected](s.events); !errors.Is(down.Err, interop.ErrUntrustedServer) {
		t.Errorf("got %v", down.Err)
	}
	s.stop()
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.given != 0 {
		t.Error("a server that is not trusted got a token")
	}
	select {
	case <-p.links:
		t.Error("a server that is not trusted got a login")
	default:
	}
}

func TestBackoffGrowsToItsCapAndIsResetBySuccess(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	s := newSubject(t, p, func(o *interop.Options) {
		o.Clock = clock
		o.Jitter = func() float64 { return 0.999999 }
	})
	s.Start()
	refused := func() time.Duration {
		l := p.accept()
		l.send(failure(503))
		l.waitClosed()
		return waitFor[*interop.Disconnected](s.events).RetryIn
	}
	var last time.Duration
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		last = refused()
		if limit := want * time.Second; last > limit+time.Millisecond || last < limit*99/100 {
			t.Errorf("pause %d: got %s, want up to %s", i, last, limit)
		}
		clock.waitArmed(t, last, last)
		clock.advance(last)
	}
	// A login that does not last is no success.
	p.login().cut()
	if last = waitFor[*interop.Disconnected](s.events).RetryIn; last < 299*time.Second {
		t.Errorf("after a short login: got %s", last)
	}
	clock.waitArmed(t, last, last)
	clock.advance(last)
	l := p.login()
	clock.advance(6 * time.Second)
	l.cut()
	if last = waitFor[*interop.Disconnected](s.events).RetryIn; last > time.Second+time.Millisecond {
		t.Errorf("after a login that lasted: got %s", last)
	}
}

func TestStopWhileNothingAnswers(t *testing.T) {
	p := newPeer(t)
	s := newSubject(t, p)
	s.stop() // not started
	s.Start()
	s.Start()
	p.accept() // no answer to the login
	s.stop()
	s.stop()
	select {
	case <-p.links:
		t.Error("a second Start made a second connection")
	default:
	}
}
