package token

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysPath = "/.well-known/oauth/openid/jwks"
	// keysMaxAge is how long fetched keys are trusted without asking again.
	keysMaxAge = time.Hour
	// keysRetry is the shortest time between two fetches from one partner: a token with an unknown key id makes us ask
	// again, and anybody can send one.
	keysRetry = 2 * time.Second
	// keysTimeout bounds one fetch.
	keysTimeout = 5 * time.Second
	// maxKeySet bounds the document, in bytes; a key takes about 400.
	maxKeySet = 64 << 10
	// maxKeys bounds how many keys of it are kept.
	maxKeys = 32
)

// partnerKeys caches the keys that one partner publishes.
type partnerKeys struct {
	Partner

	mu      sync.Mutex // held during a fetch: one at a time for each partner
	keys    map[string]*rsa.PublicKey
	fetched time.Time // the last success
	tried   time.Time // the last try
}

// key returns the partner's key with that id, fetching the set if it is unknown or old.
func (v *Verifier) key(ctx context.Context, p *partnerKeys, id string) (*rsa.PublicKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key, known := p.keys[id]
	now := time.Now() // the real clock: this is about load, not about validity
	if known && now.Sub(p.fetched) < keysMaxAge {
		return key, nil
	}
	if p.tried.IsZero() || now.Sub(p.tried) >= keysRetry {
		p.tried = now
		keys, err := v.fetch(ctx, p.Issuer+keysPath)
		if err != nil && !known {
			return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		} else if err == nil {
			p.keys, p.fetched = keys, now
		}
	}
	if key, known = p.keys[id]; !known {
		if p.fetched.IsZero() {
			return nil, ErrKeysUnavailable
		}
		return nil, fmt.Errorf("%w: signed with a key that is not published", ErrInvalid)
	}
	return key, nil
}

func (v *Verifier) fetch(ctx context.Context, url string) (map[string]*rsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := v.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("partner server answered %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	if err != nil {
		return nil, err
	} else if len(body) > maxKeySet {
		return nil, fmt.Errorf("key set is over %d bytes", maxKeySet)
	}
	return ParseKeySet(body)
}

// ParseKeySet returns the keys of a JWK Set that can sign tokens, by key id. A key of an unknown kind is passed over, as
// RFC 7517 asks.
func ParseKeySet(document []byte) (map[string]*rsa.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("key set is not JSON: %w", err)
	}
	keys := make(map[string]*rsa.PublicKey)
	for _, raw := range set.Keys {
		var jwk jose.JSONWebKey
		if len(keys) == maxKeys {
			break
		} else if jwk.UnmarshalJSON(raw) != nil {
			continue
		} else if key := usable(&jwk); key != nil {
			keys[jwk.KeyID] = key
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("key set has no RSA key of %d bits or more", minKeyBits)
	}
	return keys, nil
}
