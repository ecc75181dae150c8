// Package pusher plays the part of a gatekeeper that wakes users: it publishes keys and sends pushes to a partner server.
package pusher

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"postern/testbed/daemon"
)

// Issuer is who the pushes are from.
const Issuer = "SANDBOX"

const (
	keyID   = "push-1"
	keyBits = 2048
	// tokenLife is how long a token is good for.
	tokenLife = 5 * time.Minute
)

// ErrRefused is wrapped by errors about pushes that were not taken.
var ErrRefused = errors.New("the partner server refused a push")

// Pusher sends pushes. It is safe for concurrent use.
type Pusher struct {
	keys   *httptest.Server
	signer jose.Signer
}

// New publishes keys on this machine. The caller must Close it.
func New() (*Pusher, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("failed to make a key for pushes: %w", err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &private.PublicKey, KeyID: keyID, Algorithm: string(jose.RS256), Use: "sig"}}})
	if err != nil {
		return nil, fmt.Errorf("failed to encode the keys for pushes: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: keyID}}, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to make a signer for pushes: %w", err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(set)
	}))
	return &Pusher{keys: keys, signer: signer}, nil
}

// Close takes the keys away.
func (p *Pusher) Close() { p.keys.Close() }

// OnDemand changes a bridge's configuration: its first gatekeeper is on demand, with pushes from here. It counts from the next
// start on.
func (p *Pusher) OnDemand(bridge *daemon.Daemon, idle time.Duration) error {
	return bridge.EditConfig(func(config map[string]any) {
		gatekeeper := config["gatekeepers"].([]any)[0].(map[string]any)
		gatekeeper["connection"], gatekeeper["idle_seconds"] = "on-demand", int(idle/time.Second)
		gatekeeper["push_issuer"], gatekeeper["push_keys_url"] = Issuer, p.keys.URL
	})
}

// Push tells a bridge that something waits for a user.
func (p *Pusher) Push(ctx context.Context, bridge *daemon.Daemon, user string) error {
	token, err := jwt.Signed(p.signer).Claims(map[string]any{
		"iss": Issuer, "aud": bridge.PublicURL(), "iat": time.Now().Unix(), "exp": time.Now().Add(tokenLife).Unix(),
	}).Serialize()
	if err != nil {
		return fmt.Errorf("failed to sign a push: %w", err)
	}
	body, err := json.Marshal(map[string]string{"to": user})
	if err != nil {
		return fmt.Errorf("failed to encode a push: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, bridge.PublicURL()+"/push", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("failed to make a push: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("failed to send a push: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", ErrRefused, response.StatusCode)
	}
	return nil
}
