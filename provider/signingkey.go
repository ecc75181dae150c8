package provider

import (
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

// ErrBadKey: a stored key is not a usable RSA key, or not the one that its id names.
var ErrBadKey = errors.New("a stored signing key is damaged or of the wrong kind")

// signingKey is a stored key made usable.
type signingKey struct {
	id      string
	state   KeyState
	private *rsa.PrivateKey
}

// newKey makes a key, which takes a tenth of a second or so.
func newKey(state KeyState, now time.Time) (StoredKey, error) {
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
	return StoredKey{ID: id, State: state, PKCS8: der, Created: now, Published: now}, nil
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
