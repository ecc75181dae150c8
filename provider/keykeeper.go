package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rs/zerolog"
)

// keyRetry is how long the store is left alone after it failed.
const keyRetry = 5 * time.Second

// ErrStaleKeys: the store of the signing keys was away for so long that what was read of it counts no more.
var ErrStaleKeys = errors.New("the signing keys could not be read for too long")

// keyRing is the state of the store at one moment, ready for use. It is never changed.
type keyRing struct {
	signer jose.Signer // of the active key
	set    keySet
	// readAt is when the query began.
	readAt time.Time
	// names tells two rings with different keys apart.
	names string
}

// keyKeeper keeps the signing keys as young as rotation.go wants them. It is safe for concurrent use.
type keyKeeper struct {
	store KeyStore
	now   func() time.Time
	log   zerolog.Logger
	ring  atomic.Pointer[keyRing]
	// reading holds an element while somebody reads the store. It guards retryAt.
	reading chan struct{}
	retryAt time.Time
}

// newKeyKeeper reads the keys, and makes the first one if there is none.
func newKeyKeeper(ctx context.Context, store KeyStore, now func() time.Time, log zerolog.Logger) (*keyKeeper, error) {
	k := &keyKeeper{store: store, now: now, log: log, reading: make(chan struct{}, 1)}
	err := k.read(ctx)
	if !errors.Is(err, ErrNoActiveKey) {
		return k, err
	}
	first, err := newKey(KeyActive, now())
	if err != nil {
		return nil, err
	}
	if err = store.AddFirstKey(ctx, first); err != nil {
		return nil, fmt.Errorf("failed to store the first signing key: %w", err)
	}
	return k, k.read(ctx) // may be the key of another process that was faster
}

// get returns keys that are at most keyMaxAge old. One caller after each keyInterval waits for the store, and all do while the keys
// are older than keyMaxAge. Errors: [ErrStaleKeys], or that of ctx.
func (k *keyKeeper) get(ctx context.Context) (*keyRing, error) {
	ring := k.ring.Load()
	if k.younger(ring, keyInterval) {
		return ring, nil
	}
	if k.younger(ring, keyMaxAge) {
		select {
		case k.reading <- struct{}{}:
		default:
			return ring, nil // somebody is at it
		}
	} else {
		select {
		case k.reading <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-k.reading }()
	if !k.younger(k.ring.Load(), keyInterval) && !k.now().Before(k.retryAt) {
		k.refresh(ctx)
	}
	if ring = k.ring.Load(); !k.younger(ring, keyMaxAge) {
		return nil, ErrStaleKeys
	}
	return ring, nil
}

// younger also says no if the clock was turned back.
func (k *keyKeeper) younger(ring *keyRing, than time.Duration) bool {
	age := k.now().Sub(ring.readAt)
	return 0 <= age && age < than
}

// refresh reads the keys and logs if that fails. The caller holds reading.
func (k *keyKeeper) refresh(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := k.read(timed); err != nil && ctx.Err() == nil {
		k.retryAt = k.now().Add(keyRetry)
		k.log.Err(err).Msg("Failed to read the signing keys again")
	}
}

// run reads the keys every keyInterval until ctx ends, so that no token has to wait for that and keys are removed on time.
func (k *keyKeeper) run(ctx context.Context) {
	ticker := time.NewTicker(keyInterval / 2) // the age is measured from before a query
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_, _ = k.get(ctx) // logs what fails
		}
	}
}

// read replaces the ring by what the store has, and removes from the store what nobody needs any more.
func (k *keyKeeper) read(ctx context.Context) error {
	readAt := k.now()
	stored, err := k.store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("failed to load the signing keys: %w", err)
	}
	ring := &keyRing{readAt: readAt}
	keep := make([]signingKey, 0, len(stored))
	var names strings.Builder
	dead := readAt.Add(-KeyTail)
	var remove bool
	for _, one := range stored {
		if one.State == KeyRetired && one.Retired.Before(dead) {
			remove = true
			continue
		}
		key, err := parseKey(one)
		if err != nil {
			return err
		}
		if key.state == KeyActive {
			if ring.signer, err = newSigner(key); err != nil {
				return err
			}
		}
		keep = append(keep, key)
		names.WriteString(key.id + " " + string(key.state) + "\n")
	}
	if ring.signer == nil {
		return ErrNoActiveKey
	}
	if ring.set, err = newKeySet(keep); err != nil {
		return err
	}
	ring.names = names.String()
	before := k.ring.Swap(ring)
	if before == nil || before.names != ring.names {
		k.logKeys(keep)
	}
	if remove {
		if err = k.store.RemoveRetiredKeys(ctx, dead); err != nil {
			k.log.Err(err).Msg("Failed to remove signing keys that are no longer needed")
		}
	}
	return nil
}

func (k *keyKeeper) logKeys(keys []signingKey) {
	for _, key := range keys {
		if key.state == KeyActive {
			k.log.Info().Str("kid", key.id).Int("keys", len(keys)).Msg("Signing keys loaded")
		}
	}
}
