package gatekeeper

import (
	"fmt"
	"sync"
	"time"

	"postern/interop/wire"
)

const (
	// certLifetime is how long a certificate chain is valid; a new one is made when less than half of it is left.
	certLifetime = 30 * 24 * time.Hour
	// certEarlier lets clients connect whose clock is behind.
	certEarlier = 24 * time.Hour
)

// identity is the chat server's static key with certificates for it, made anew at every start. Only the root key
// outlives the process.
type identity struct {
	root, static wire.KeyPair

	mu    sync.Mutex
	chain []byte
	until time.Time
}

func newIdentity(root wire.KeyPair) *identity {
	return &identity{root: root, static: wire.NewKeyPair()}
}

// handshake returns what the next connection needs.
func (i *identity) handshake() (wire.ServerHandshake, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	if i.until.Sub(now) < certLifetime/2 {
		until := now.Add(certLifetime)
		chain, err := wire.SignCertChain(i.root, wire.NewKeyPair(), i.static.Pub, now.Add(-certEarlier), until)
		if err != nil {
			return wire.ServerHandshake{}, fmt.Errorf("failed to certify the chat server's key: %w", err)
		}
		i.chain, i.until = chain, until
	}
	return wire.ServerHandshake{Static: i.static, CertChain: i.chain}, nil
}
