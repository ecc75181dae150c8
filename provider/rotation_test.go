package provider_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"postern/provider"
)

// clock is set by hand.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(noon.UnixNano())
	return c
}

func (c *clock) now() time.Time            { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration)   { c.nanoseconds.Add(int64(d)) }
func (c *clock) since(t time.Time) float64 { return c.now().Sub(t).Minutes() }

// absentKeys is a store that can be away.
type absentKeys struct {
	*memoryKeys
	away  atomic.Bool
	reads atomic.Int64
}

func (a *absentKeys) SigningKeys(ctx context.Context) ([]provider.StoredKey, error) {
	a.reads.Add(1)
	if a.away.Load() {
		return nil, errors.New("away")
	}
	return a.memoryKeys.SigningKeys(ctx)
}

// daemons are two partner servers on one store, and a clock for all.
func daemons(t testing.TB) (clock *clock, keys *memoryKeys, a, b *provider.Provider) {
	clock = newClock()
	keys = &memoryKeys{keys: slices.Clone(sharedKeys().keys)}
	keys.keys[0].State, keys.keys[0].Published = provider.KeyActive, noon
	return clock, keys, daemonOn(t, keys, clock), daemonOn(t, keys, clock)
}

func daemonOn(t testing.TB, keys provider.KeyStore, clock *clock) *provider.Provider {
	t.Helper()
	o := options(t, keys)
	o.Now, o.Log = clock.now, zerolog.Nop()
	p, err := provider.New(context.Background(), o)
	check(t, err)
	return p
}

func token(t testing.TB, p *provider.Provider) string {
	t.Helper()
	token, err := p.Token(context.Background(), "@alice:example.org", "whatsapp")
	check(t, err)
	return token
}

func kidOf(t testing.TB, token string) string {
	t.Helper()
	header := string(decode(t, strings.Split(token, ".")[0]))
	_, rest, _ := strings.Cut(header, `"kid":"`)
	kid, _, _ := strings.Cut(rest, `"`)
	return kid
}

func TestNextKeySignsOnlyAfterAllKnowIt(t *testing.T) {
	clock, keys, a, b := daemons(t)
	ctx := context.Background()
	first := keys.keys[0].ID
	next, err := provider.MakeNextKey(ctx, keys, clock.now)
	check(t, err)
	if next.State != provider.KeyNext || !next.Published.Equal(noon) {
		t.Errorf("made %s, published %v", next.State, next.Published)
	}
	if _, err = provider.MakeNextKey(ctx, keys, clock.now); !errors.Is(err, provider.ErrNextKeyExists) {
		t.Errorf("another one: %v", err)
	}
	clock.advance(provider.KeyLead - time.Second)
	var early *provider.TooEarlyError
	if _, _, err = provider.RotateKeys(ctx, keys, clock.now); !errors.As(err, &early) || early.Wait != time.Second {
		t.Errorf("a second too early: %v", err)
	}
	if kid := kidOf(t, token(t, a)); kid != first {
		t.Errorf("signed by %s", kid)
	}
	clock.advance(time.Second)
	active, became, err := provider.RotateKeys(ctx, keys, clock.now)
	if err != nil || active.ID != first || became.ID != next.ID {
		t.Fatalf("%s to %s: %v", active.ID, became.ID, err)
	}
	clock.advance(time.Minute)
	for _, p := range []*provider.Provider{a, b} {
		if kid := kidOf(t, token(t, p)); kid != next.ID {
			t.Errorf("signed by %s", kid)
		}
	}
	if _, _, err = provider.RotateKeys(ctx, keys, clock.now); !errors.Is(err, provider.ErrNoNextKey) {
		t.Errorf("again: %v", err)
	}
}

func TestRetiredKeyIsPublishedUntilItsTokensAreDead(t *testing.T) {
	clock, keys, a, b := daemons(t)
	ctx := context.Background()
	retired := keys.keys[0].ID
	_, err := provider.MakeNextKey(ctx, keys, clock.now)
	check(t, err)
	clock.advance(provider.KeyLead)
	token(t, b)
	_, _, err = provider.RotateKeys(ctx, keys, clock.now)
	check(t, err)
	at := clock.now()
	for clock.now().Before(at.Add(provider.KeyTail)) {
		for _, p := range []*provider.Provider{a, b} {
			if _, published := publishedKeys(t, p)[retired]; !published {
				t.Fatalf("not published any more after %v minutes", clock.since(at))
			}
		}
		clock.advance(time.Minute)
	}
	clock.advance(2 * time.Minute)
	for _, p := range []*provider.Provider{a, b} {
		if published := publishedKeys(t, p); len(published) != 1 {
			t.Errorf("%d keys are published at the end", len(published))
		}
	}
	if len(keys.keys) != 1 || keys.keys[0].ID == retired {
		t.Errorf("%d keys are stored at the end", len(keys.keys))
	}
}

func TestStoreIsAskedOnceAMinuteWhateverIsAsked(t *testing.T) {
	clock := newClock()
	keys := &absentKeys{memoryKeys: sharedKeys()}
	p := daemonOn(t, keys, clock)
	before := keys.reads.Load()
	for range 300 { // five minutes
		clock.advance(time.Second)
		token(t, p)
		publishedKeys(t, p)
	}
	if reads := keys.reads.Load() - before; reads != 5 {
		t.Errorf("%d queries in 5 minutes", reads)
	}
}

// TestDaemonThatLostItsStoreStopsInTime: it does not know what others were told meanwhile.
func TestDaemonThatLostItsStoreStopsInTime(t *testing.T) {
	clock := newClock()
	keys := &absentKeys{memoryKeys: sharedKeys()}
	p := daemonOn(t, keys, clock)
	keys.away.Store(true)
	before := keys.reads.Load()
	clock.advance(5*time.Minute - time.Second)
	token(t, p)
	publishedKeys(t, p)
	clock.advance(time.Second)
	for range 10 {
		if _, err := p.Token(context.Background(), "@alice:example.org", "whatsapp"); !errors.Is(err, provider.ErrStaleKeys) {
			t.Errorf("a token was signed: %v", err)
		}
		if w := request(p, "GET", provider.JWKSPath); w.Code != 503 || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("keys: status %d, %s", w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if reads := keys.reads.Load() - before; reads != 1 {
		t.Errorf("the lost store was asked %d times in a second", reads)
	}
	keys.away.Store(false)
	clock.advance(5 * time.Second)
	token(t, p)
	publishedKeys(t, p)
}

// TestRotationUnderLoad plays two daemons, one of which loses its store now and then, and a verifier that takes keys from
// either and keeps them as long as it may. No token that it gets may be signed by a key that it does not have.
func TestRotationUnderLoad(t *testing.T) {
	clock, keys, a, _ := daemons(t)
	flaky := &absentKeys{memoryKeys: keys}
	b := daemonOn(t, flaky, clock)
	ctx := context.Background()
	rotations := 0
	// cached[i] is what a verifier has that fetched from daemon i right before the last moment that it may.
	type copyOf struct {
		keys map[string]publishedKey
		at   time.Time
	}
	var cached [2][]copyOf
	servers := [2]*provider.Provider{a, b}
	for minute := range 90 {
		flaky.away.Store(minute%7 < 4)
		if minute%45 == 5 {
			_, err := provider.MakeNextKey(ctx, keys, clock.now)
			check(t, err)
		}
		if _, _, err := provider.RotateKeys(ctx, keys, clock.now); err == nil {
			rotations++
		}
		var group sync.WaitGroup
		tokens := make([]string, 8)
		for i := range tokens {
			group.Go(func() {
				tokens[i], _ = servers[i%2].Token(ctx, "@alice:example.org", "whatsapp")
				request(servers[i%2], "GET", provider.JWKSPath)
			})
		}
		group.Wait()
		for i, p := range servers {
			if request(p, "GET", provider.JWKSPath).Code == 200 {
				cached[i] = append(cached[i], copyOf{publishedKeys(t, p), clock.now()})
			}
			cached[i] = slices.DeleteFunc(cached[i], func(c copyOf) bool { return clock.now().Sub(c.at) > provider.CacheTime })
			for _, one := range cached[i] {
				for _, signed := range tokens {
					if signed == "" {
						continue // the daemon without a store
					}
					if _, known := one.keys[kidOf(t, signed)]; !known {
						t.Fatalf("minute %d: a verifier with keys that are %v minutes old does not know the signer", minute, clock.since(one.at))
					}
				}
			}
		}
		clock.advance(time.Minute)
	}
	if rotations != 2 || len(keys.keys) != 1 {
		t.Errorf("%d rotations, %d keys are left", rotations, len(keys.keys))
	}
}

func TestServerReadsTheKeysByItself(t *testing.T) {
	keys := &absentKeys{memoryKeys: sharedKeys()}
	synctest.Test(t, func(t *testing.T) {
		o := options(t, keys)
		o.Now = nil
		p, err := provider.New(t.Context(), o)
		check(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(ctx, silence{make(chan struct{})}) }()
		before := keys.reads.Load()
		time.Sleep(time.Hour) // of the bubble's clock
		if reads := keys.reads.Load() - before; reads < 30 || reads > 60 {
			t.Errorf("%d queries in an hour", reads)
		}
		cancel()
		check(t, <-ended)
	})
}
