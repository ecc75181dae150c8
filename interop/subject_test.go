package interop_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/interop"
	"postern/interop/memstore"
)

// tokenSource counts the tokens it gives out.
type tokenSource struct {
	mu    sync.Mutex
	given int
	err   error
}

func (s *tokenSource) Token(_ context.Context, userVisibleID, audience string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	s.given++
	return fmt.Sprintf("token %d for %s at %s", s.given, userVisibleID, audience), nil
}

// recorder is a handler that keeps what it was told.
type recorder struct {
	t      testing.TB
	events chan interop.Event
	mu     sync.Mutex
	hook   func(ctx context.Context, event interop.Event) error
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, events: make(chan interop.Event, 40000)}
}

// intercept sets a function that sees events first; if it fails, the event is not recorded.
func (r *recorder) intercept(hook func(ctx context.Context, event interop.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = hook
}

func (r *recorder) HandleEvent(ctx context.Context, event interop.Event) error {
	r.mu.Lock()
	hook := r.hook
	r.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, event); err != nil {
			return err
		}
	}
	r.events <- event
	return nil
}

// waitFor returns the next event, which must be of the type. Connected and Disconnected are skipped unless wanted.
func waitFor[E interop.Event](r *recorder) E {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case event := <-r.events:
			if wanted, ok := event.(E); ok {
				return wanted
			}
			switch event.(type) {
			case *interop.Connected, *interop.Disconnected:
				continue
			}
			r.t.Fatalf("got %T %+v, want %T", event, event, *new(E))
		case <-timeout:
			r.t.Fatalf("no %T came", *new(E))
		}
	}
}

// none fails the test if events other than Connected and Disconnected have come.
func (r *recorder) none() {
	r.t.Helper()
	for {
		select {
		case event := <-r.events:
			switch event.(type) {
			case *interop.Connected, *interop.Disconnected:
			default:
				r.t.Errorf("unexpected event %T %+v", event, event)
			}
		default:
			return
		}
	}
}

// subject is a client under test.
type subject struct {
	*interop.Client
	t       *testing.T
	options interop.Options
	events  *recorder
	tokens  *tokenSource
	store   interop.Store
	// party is the client's end of Signal sessions as a contact sees it: its keys.
	party *interop.Party
}

// newSubject makes a client that is not started. Pauses are as short as they can be.
func newSubject(t *testing.T, p *peer, change ...func(*interop.Options)) *subject {
	t.Helper()
	s := &subject{t: t, events: newRecorder(t), tokens: &tokenSource{}, store: memstore.New()}
	keys := interop.NewKeys()
	s.options = interop.Options{
		Gatekeeper: &interop.Gatekeeper{
			ID: "sandbox", Name: "Sandbox", Product: interop.ProductWhatsApp, Integrator: aliceJID.Integrator,
			ChatURL: p.url, RootKey: p.root.Pub, Audience: "sandbox audience", ProtocolVersion: [3]uint32{1, 2, 3},
		},
		Account: interop.Account{JID: aliceJID, UserVisibleID: "@alice:example.org", Keys: keys},
		Store:   s.store,
		Tokens:  s.tokens,
		Handler: s.events,
		Log:     zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
		Jitter:  func() float64 { return 0 },
	}
	for _, apply := range change {
		apply(&s.options)
	}
	s.store = s.options.Store
	s.party = interop.PartyOf(aliceJID, s.store, keys)
	s.Client = interop.NewClient(s.options)
	t.Cleanup(s.stop)
	return s
}

func (s *subject) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		s.t.Errorf("client did not stop: %v", err)
	}
}

// kill ends the client as a crash would: nothing that is under way gets to the store any more. The next client on the
// store is returned.
func (s *subject) kill() *subject {
	s.t.Helper()
	dead, ok := s.options.Store.(*mortalStore)
	if !ok {
		s.t.Fatal("kill needs a mortalStore")
	}
	dead.die()
	s.events.intercept(func(context.Context, interop.Event) error { return errStoreDown })
	s.stop()
	next := *s
	next.events = newRecorder(s.t)
	next.options.Store = &mortalStore{Store: dead.Store}
	next.options.Handler = next.events
	next.store = next.options.Store
	next.Client = interop.NewClient(next.options)
	s.t.Cleanup(next.stop)
	return &next
}

// started makes a client and lets it in.
func started(t *testing.T, change ...func(*interop.Options)) (*peer, *subject, *link) {
	t.Helper()
	p := newPeer(t)
	s := newSubject(t, p, change...)
	s.Start()
	l := p.login()
	waitFor[*interop.Connected](s.events)
	return p, s, l
}

func mortal(options *interop.Options) { options.Store = &mortalStore{Store: memstore.New()} }
