package provider

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of new RSA keys. 2048 bits are 112 bits of security, which NIST SP 800-57 accepts to the end of
// 2030, for signatures that matter for minutes. 3072 bits sign more than three times slower: measured on one core of a small
// server, 1.7 against 6 ms. 1,000 users who connect at a start of the daemon would then take 6 s of processor time
// instead of 1.7 s, out of 15 s for all on two cores.
const keyBits = 2048

// minKeyBits is the smallest stored key that is accepted.
const minKeyBits = 2048

var (
	// ErrBadKey: a stored key is not a usable RSA key, or not the one that its id names.
	ErrBadKey = errors.New("a stored signing key is damaged or of the wrong kind")
	// errNoActiveKey: a store took the first key and gives none back.
	errNoActiveKey = errors.New("the key store returns no active signing key")
)

// signingKey is a stored key made usable.
type signingKey struct {
	id      string
	state   KeyState
	private *rsa.PrivateKey
}

// loadKeys returns all keys of the store and, among them, the active one. It makes the first key if there is none.
func loadKeys(ctx context.Context, store KeyStore, now time.Time) (all []signingKey, active signingKey, err error) {
	all, active, err = readKeys(ctx, store)
	if !errors.Is(err, errNoActiveKey) {
		return all, active, err
	}
	first, err := newKey(now)
	if err != nil {
		return nil, signingKey{}, err
	}
	if err = store.AddFirstKey(ctx, first); err != nil {
		return nil, signingKey{}, fmt.Errorf("failed to store the first signing key: %w", err)
	}
	return readKeys(ctx, store) // may be the key of another process that was faster
}

func readKeys(ctx context.Context, store KeyStore) (all []signingKey, active signingKey, err error) {
	stored, err := store.SigningKeys(ctx)
	if err != nil {
		return nil, signingKey{}, fmt.Errorf("failed to load the signing keys: %w", err)
	}
	for _, one := range stored {
		key, err := parseKey(one)
		if err != nil {
			return nil, signingKey{}, err
		}
		all = append(all, key)
		if key.state == KeyActive {
			active = key
		}
	}
	if active.private == nil {
		return nil, signingKey{}, errNoActiveKey
	}
	return all, active, nil
}

func newKey(now time.Time) (StoredKey, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return StoredKey{}, fmt.Errorf("failed to make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return StoredKey{}, fmt.Errorf("failed to encode a signing key: %w", err)
	}
	id, err := keyID(&private.PublicKey)
	if err != nil {
		return StoredKey{}, err
	}
	return StoredKey{ID: id, State: KeyActive, PKCS8: der, Created: now, Published: now}, nil
}

func parseKey(stored StoredKey) (signingKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(stored.PKCS8)
	if err != nil {
		return signingKey{}, ErrBadKey // the parser's text may quote what it read
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() < minKeyBits {
		return signingKey{}, ErrBadKey
	}
	if id, err := keyID(&private.PublicKey); err != nil || id != stored.ID {
		return signingKey{}, ErrBadKey
	}
	return signingKey{id: stored.ID, state: stored.State, private: private}, nil
}

func keyID(public *rsa.PublicKey) (string, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("failed to name a signing key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(thumbprint), nil
}
