package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// JWKSPath is where the gatekeeper fetches the public keys, below the issuer's URL.
const JWKSPath = "/.well-known/oauth/openid/jwks"

// CacheTime is how long others may keep the set of public keys. A new key must be published for longer than this before
// it signs: see [KeyLead].
const CacheTime = 15 * time.Minute

// keySet is the JWK Set, encoded once.
type keySet struct {
	body []byte
	etag string
}

func newKeySet(keys []signingKey) (keySet, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: &key.private.PublicKey, KeyID: key.id, Algorithm: string(jose.RS256), Use: "sig",
		})
	}
	body, err := json.Marshal(set)
	if err != nil {
		return keySet{}, fmt.Errorf("failed to encode the public keys: %w", err)
	}
	hash := sha256.Sum256(body)
	return keySet{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(hash[:12]) + `"`}, nil
}

// serveKeys answers with the keys, or with 503 if they were not read for too long: see rotation.go.
func (p *Provider) serveKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := p.keys.get(r.Context())
	if err != nil {
		answer(w, http.StatusServiceUnavailable)
		return
	}
	keys.set.ServeHTTP(w, r)
}

// ServeHTTP answers GET and HEAD with the set, or with 304 to who has it.
func (s *keySet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(CacheTime/time.Second)))
	header.Set("ETag", s.etag)
	if r.Header.Get("If-None-Match") == s.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(s.body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(s.body) // a client that is gone is no concern of ours
}
