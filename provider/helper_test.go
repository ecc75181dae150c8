package provider_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/provider"
)

var noon = time.Unix(1_760_000_000, 0)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// memoryKeys is a provider.KeyStore. The one that the daemon uses is tested in package database.
type memoryKeys struct {
	mu   sync.Mutex
	keys []provider.StoredKey
}

func (m *memoryKeys) SigningKeys(context.Context) ([]provider.StoredKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]provider.StoredKey(nil), m.keys...), nil
}

func (m *memoryKeys) AddFirstKey(_ context.Context, key provider.StoredKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.keys {
		if have.State == provider.KeyActive {
			return nil
		}
	}
	m.keys = append([]provider.StoredKey{key}, m.keys...)
	return nil
}

func (m *memoryKeys) AddNextKey(_ context.Context, key provider.StoredKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, have := range m.keys {
		if have.State == provider.KeyNext {
			return provider.ErrNextKeyExists
		}
	}
	m.keys = append([]provider.StoredKey{key}, m.keys...)
	return nil
}

func (m *memoryKeys) RotateKeys(_ context.Context, active, next string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, have := range m.keys {
		switch have.ID {
		case active:
			m.keys[i].State, m.keys[i].Retired = provider.KeyRetired, at
		case next:
			m.keys[i].State = provider.KeyActive
		}
	}
	return nil
}

func (m *memoryKeys) RemoveRetiredKeys(_ context.Context, before time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys = slices.DeleteFunc(m.keys, func(key provider.StoredKey) bool {
		return key.State == provider.KeyRetired && key.Retired.Before(before)
	})
	return nil
}

func options(t testing.TB, keys provider.KeyStore) provider.Options {
	return provider.Options{
		Issuer:    "https://partner.example.org",
		Domain:    "example.org",
		Audiences: []provider.Audience{{Name: "whatsapp", Integrator: 1}, {Name: "messenger", Integrator: 65535}},
		Keys:      keys,
		MediaKey:  [provider.MediaKeySize]byte{1},
		Log:       zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
		Now:       func() time.Time { return noon },
		// The clock stands still, and so do the limits.
		AddressRate: 1 << 24, TotalRate: 1 << 24,
	}
}

func newProvider(t testing.TB, keys provider.KeyStore) *provider.Provider {
	t.Helper()
	p, err := provider.New(context.Background(), options(t, keys))
	check(t, err)
	return p
}

// sharedKeys holds one key for all tests that do not care which: making one takes long.
var sharedKeys = sync.OnceValue(func() *memoryKeys {
	keys := &memoryKeys{}
	_, err := provider.New(context.Background(), provider.Options{
		Issuer: "https://partner.example.org", Domain: "example.org", Keys: keys, Log: zerolog.Nop(),
	})
	if err != nil {
		panic(err)
	}
	return keys
})

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	check(t, err)
	return key
}
