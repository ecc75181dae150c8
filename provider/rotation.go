package provider

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How keys are replaced while any number of processes sign with them and publish them, all on one store.
//
// A process does not keep keys for ever: it reads them again every keyInterval, with one query, so that it sees the state of
// one moment. While the store is away it goes on with what it read, but only until that is keyMaxAge old. After that it
// neither publishes nor signs. So whatever is done to the store at a time t is in use everywhere at t + keyMaxAge, without
// the processes knowing of each other.
//
//   - A next key that was stored at t is published by all at t + keyMaxAge. Who fetched the keys from one of them right before
//     that may keep them for CacheTime. So from t + keyMaxAge + CacheTime on all verifiers know it, and it may sign.
//   - A key that was retired at t may sign tokens elsewhere until t + keyMaxAge. The last of them expires TokenLifetime later,
//     for a verifier whose clock is behind tokenLeeway after that. Then the key is removed.
//
// The times are stamped by the process that changes the store, before the change is stored, and compared by others.
// clockMargin is for both: a change takes at most storeTimeout, and the clocks of the machines may differ by the rest.
const (
	keyInterval  = time.Minute
	keyMaxAge    = 5 * time.Minute
	storeTimeout = 10 * time.Second
	clockMargin  = time.Minute

	// KeyLead is how long a key is published before it signs.
	KeyLead = CacheTime + keyMaxAge + clockMargin
	// KeyTail is how long a key stays published after it was retired.
	KeyTail = keyMaxAge + TokenLifetime + tokenLeeway + clockMargin
)

var (
	// ErrNoActiveKey: the partner server never ran on this store.
	ErrNoActiveKey = errors.New("there is no active signing key; the first start of the bridge makes it")
	// ErrNoNextKey: there is nothing to rotate to.
	ErrNoNextKey = errors.New("there is no next signing key; make one first")
)

// TooEarlyError: the next key is not known to all verifiers yet.
type TooEarlyError struct {
	// Ready is when the key may sign.
	Ready time.Time
	// Wait is how long that is from now.
	Wait time.Duration
}

func (e *TooEarlyError) Error() string {
	return fmt.Sprintf("the next signing key is too young: gatekeepers may not know it before %s, which is in %s",
		e.Ready.UTC().Format(time.RFC3339), e.Wait.Round(time.Second))
}

// MakeNextKey makes a key and stores it as the next one, which publishes it. Errors: [ErrNoActiveKey], [ErrNextKeyExists],
// or what the store returned.
func MakeNextKey(ctx context.Context, store KeyStore, now func() time.Time) (StoredKey, error) {
	if _, next, err := currentKeys(ctx, store); err != nil {
		return StoredKey{}, err
	} else if next != nil {
		return StoredKey{}, ErrNextKeyExists
	}
	key, err := newKey(KeyNext, now())
	if err != nil {
		return StoredKey{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	key.Created, key.Published = now(), now()
	if err = store.AddNextKey(ctx, key); err != nil {
		return StoredKey{}, fmt.Errorf("failed to store the next signing key: %w", err)
	}
	return key, nil
}

// RotateKeys makes the next key the active one and retires that which was. It returns both as they were before. Errors:
// [*TooEarlyError], [ErrNoNextKey], [ErrNoActiveKey], [ErrKeysChanged], or what the store returned.
func RotateKeys(ctx context.Context, store KeyStore, now func() time.Time) (active, next StoredKey, err error) {
	was, becomes, err := currentKeys(ctx, store)
	if err != nil {
		return active, next, err
	} else if becomes == nil {
		return active, next, ErrNoNextKey
	}
	at := now()
	if ready := becomes.Published.Add(KeyLead); at.Before(ready) {
		return active, next, &TooEarlyError{Ready: ready, Wait: ready.Sub(at)}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err = store.RotateKeys(ctx, was.ID, becomes.ID, at); err != nil {
		return active, next, fmt.Errorf("failed to rotate the signing keys: %w", err)
	}
	return *was, *becomes, nil
}

// currentKeys returns the active key and the next one, which is nil if there is none.
func currentKeys(ctx context.Context, store KeyStore) (active, next *StoredKey, err error) {
	keys, err := store.SigningKeys(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to load the signing keys: %w", err)
	}
	for i := range keys {
		switch keys[i].State {
		case KeyActive:
			active = &keys[i]
		case KeyNext:
			next = &keys[i]
		}
	}
	if active == nil {
		return nil, nil, ErrNoActiveKey
	}
	return active, next, nil
}
