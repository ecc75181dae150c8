// Package memstore keeps the state of one interop account in memory: for tests, benchmarks and tools. It is the
// reference for what [interop.Store] means, held by the same suite that database/ has to pass.
package memstore

import (
	"context"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// Store implements [interop.Store]. A transaction holds the store's only lock, so transactions run one after another.
type Store struct {
	mu sync.Mutex
	// undo holds what takes back the changes of the running transaction, newest last. Guarded by mu.
	undo []func()

	sessions   map[interop.Address][]byte
	identities map[interop.Address][32]byte
	untold     map[interop.Address]struct{} // identities that the user does not know of

	held map[types.JID]bool // contacts whose messages wait

	preKeys       map[uint32]preKey
	lastPreKeyID  uint32
	signedPreKeys map[uint32]interop.SignedPreKey

	outbox      map[types.MessageID]*interop.Outgoing
	pending     map[int64]types.MessageID
	pendingSeqs []int64 // the keys of pending, rising
	outboxSeq   int64

	inbox map[[32]byte]received

	now func() time.Time
}

var _ interop.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return NewWithClock(time.Now) }

// NewWithClock makes an empty store that takes the time of deliveries from now.
func NewWithClock(now func() time.Time) *Store {
	return &Store{
		sessions:      make(map[interop.Address][]byte),
		identities:    make(map[interop.Address][32]byte),
		untold:        make(map[interop.Address]struct{}),
		held:          make(map[types.JID]bool),
		preKeys:       make(map[uint32]preKey),
		signedPreKeys: make(map[uint32]interop.SignedPreKey),
		outbox:        make(map[types.MessageID]*interop.Outgoing),
		pending:       make(map[int64]types.MessageID),
		inbox:         make(map[[32]byte]received),
		now:           now,
	}
}

// transactionKey marks the contexts of a store's running transaction.
type transactionKey struct{ store *Store }

// Atomically implements [interop.Store]. fn must use the context it is given, else it waits for itself for ever.
func (s *Store) Atomically(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	if s.inTransaction(ctx) {
		return fn(ctx)
	}
	if err = ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	committed := false
	defer func() { // also when fn panics
		if !committed {
			for i := len(s.undo) - 1; i >= 0; i-- {
				s.undo[i]()
			}
		}
		s.undo = s.undo[:0]
	}()
	if err = fn(context.WithValue(ctx, transactionKey{s}, true)); err == nil {
		committed = true
	}
	return err
}

func (s *Store) inTransaction(ctx context.Context) bool { return ctx.Value(transactionKey{s}) != nil }

// locked runs fn alone: within the transaction of ctx, or as one of its own that cannot fail half way.
func (s *Store) locked(ctx context.Context, fn func() error) error {
	if s.inTransaction(ctx) {
		return fn()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.undo = s.undo[:0] }()
	return fn()
}

// put sets a key and notes how to take that back.
func put[K comparable, V any](s *Store, m map[K]V, key K, value V) {
	remember(s, m, key)
	m[key] = value
}

// drop removes a key and notes how to take that back.
func drop[K comparable, V any](s *Store, m map[K]V, key K) {
	remember(s, m, key)
	delete(m, key)
}

func remember[K comparable, V any](s *Store, m map[K]V, key K) {
	old, had := m[key]
	s.undo = append(s.undo, func() {
		if had {
			m[key] = old
		} else {
			delete(m, key)
		}
	})
}
