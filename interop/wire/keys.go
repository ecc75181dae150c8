package wire

import (
	"crypto/rand"
	"fmt"

	"golang.org/x/crypto/curve25519"
)

// KeyPair is a Curve25519 key pair. Its printed forms hold the public half only.
type KeyPair struct {
	Pub  [32]byte
	Priv [32]byte
}

// NewKeyPair makes a key pair from the system's random source, which never fails.
func NewKeyPair() KeyPair {
	var priv [32]byte
	_, _ = rand.Read(priv[:]) // ends the program rather than return an error
	return KeyPairFrom(priv)
}

// KeyPairFrom derives the key pair of a private key, which it clamps first.
func KeyPairFrom(priv [32]byte) KeyPair {
	priv[0] &= 248
	priv[31] = priv[31]&127 | 64
	pair := KeyPair{Priv: priv}
	curve25519.ScalarBaseMult(&pair.Pub, &pair.Priv)
	return pair
}

// Format keeps the private key out of logs and error texts, whatever the verb.
func (k KeyPair) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "KeyPair(%x)", k.Pub[:])
}
