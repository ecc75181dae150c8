package gatekeeper

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// keysPath is where partners find the keys that pushes are signed with.
	keysPath = "/.well-known/jwks"
	// pushKeyBits is the size of the RSA keys.
	pushKeyBits = 2048
	// pushTokenLifetime is that of the reference offer.
	pushTokenLifetime = time.Hour
	// pushTokenReuse is how long a token is used for further pushes: signing takes a processor longer than all the rest of a push.
	pushTokenReuse = time.Minute
)

// pushKeys sign pushes. The first is made when it is needed, and none is stored: for partners a restart is a rotation. The zero value
// is ready for use, and safe for concurrent use.
type pushKeys struct {
	mu sync.Mutex
	// keys are private, the newest first; that one signs. All are published.
	keys []jose.JSONWebKey
	// tokens are the last ones, by audience. They go with the key that signed them.
	tokens map[string]pushToken
}

type pushToken struct {
	text string
	made time.Time
}

// token returns a token for the partner with that URL.
func (k *pushKeys) token(issuer, partner string, now time.Time) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.need(); err != nil {
		return "", err
	}
	if have, ok := k.tokens[partner]; ok && !now.Before(have.made) && now.Sub(have.made) < pushTokenReuse {
		return have.text, nil
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.keys[0]}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("failed to sign a push: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: issuer, Audience: jwt.Audience{partner}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(pushTokenLifetime)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("failed to sign a push: %w", err)
	}
	k.tokens[partner] = pushToken{text, now}
	return text, nil
}

// need makes the first key. The caller holds the lock.
func (k *pushKeys) need() error {
	if len(k.keys) > 0 {
		return nil
	}
	return k.add(0)
}

// add makes a new key, which signs from now on, and keeps so many of those before it published. The caller holds the lock.
func (k *pushKeys) add(keep int) error {
	private, err := rsa.GenerateKey(rand.Reader, pushKeyBits)
	if err != nil {
		return fmt.Errorf("failed to make a key for pushes: %w", err)
	}
	key := jose.JSONWebKey{Key: private, KeyID: rand.Text(), Algorithm: string(jose.RS256), Use: "sig"}
	k.keys = append([]jose.JSONWebKey{key}, k.keys[:min(keep, len(k.keys))]...)
	k.tokens = make(map[string]pushToken)
	return nil
}

// rotate makes a new key and returns its name. The one before stays published, unless it is to be dropped.
func (k *pushKeys) rotate(drop bool) (kid string, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err = k.need(); err != nil {
		return "", err
	}
	keep := 1
	if drop {
		keep = 0
	}
	if err = k.add(keep); err != nil {
		return "", err
	}
	return k.keys[0].KeyID, nil
}

// public returns what is published.
func (k *pushKeys) public() (set jose.JSONWebKeySet, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err = k.need(); err != nil {
		return set, err
	}
	for _, key := range k.keys {
		set.Keys = append(set.Keys, key.Public())
	}
	return set, nil
}

// serveKeys answers GET /.well-known/jwks.
func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	set, err := s.pushes.keys.public()
	if err != nil {
		s.log.Err(err).Msg("Failed to publish keys")
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_ = json.NewEncoder(w).Encode(set)
}
