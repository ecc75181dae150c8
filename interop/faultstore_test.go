package interop_test

import (
	"context"
	"errors"
	"sync/atomic"

	"postern/interop"
	"postern/interop/memstore"
)

// newStore makes an empty store.
func newStore() interop.Store { return memstore.New() }

var errStoreDown = errors.New("store is down")

// failingStore fails one call, counted from the last failAt, or none.
type failingStore struct {
	interop.Store
	countdown atomic.Int64
}

func (s *failingStore) failAt(call int) { s.countdown.Store(int64(call)) }

func (s *failingStore) check() error {
	if s.countdown.Add(-1) == 0 {
		return errStoreDown
	}
	return nil
}

func (s *failingStore) Atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.Store.Atomically(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return s.check() // the commit
	})
}

func (s *failingStore) LoadSession(ctx context.Context, address interop.Address) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.LoadSession(ctx, address)
}

func (s *failingStore) SaveSession(ctx context.Context, address interop.Address, session []byte) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.SaveSession(ctx, address, session)
}

func (s *failingStore) LoadIdentity(ctx context.Context, address interop.Address) ([32]byte, bool, error) {
	if err := s.check(); err != nil {
		return [32]byte{}, false, err
	}
	return s.Store.LoadIdentity(ctx, address)
}

func (s *failingStore) SaveIdentity(ctx context.Context, address interop.Address, key [32]byte) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.SaveIdentity(ctx, address, key)
}

func (s *failingStore) LoadPreKey(ctx context.Context, id uint32) (*interop.PreKey, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.LoadPreKey(ctx, id)
}

func (s *failingStore) LoadSignedPreKey(ctx context.Context, id uint32) (*interop.SignedPreKey, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.Store.LoadSignedPreKey(ctx, id)
}

func (s *failingStore) RemovePreKey(ctx context.Context, id uint32) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.RemovePreKey(ctx, id)
}

func (s *failingStore) FindReceived(ctx context.Context, hash [32]byte) ([]byte, bool, error) {
	if err := s.check(); err != nil {
		return nil, false, err
	}
	return s.Store.FindReceived(ctx, hash)
}

func (s *failingStore) PutReceived(ctx context.Context, hash [32]byte, plaintext []byte) error {
	if err := s.check(); err != nil {
		return err
	}
	return s.Store.PutReceived(ctx, hash, plaintext)
}

// looseStore does not keep transactions apart. It cannot undo anything, so it is for tests in which nothing fails.
type looseStore struct{ interop.Store }

func (s looseStore) Atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	return fn(ctx)
}
