package wire

import (
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"go.mau.fi/whatsmeow/socket"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"golang.org/x/crypto/curve25519"
)

const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16 // AES-GCM's authentication tag
)

// symmetricState is the state that both roles of the handshake keep: what was said so far, the chaining key and the
// current cipher. It follows Noise_XX_25519_AESGCM_SHA256 with WhatsApp's change: empty payloads are not hashed.
// Not safe for concurrent use.
type symmetricState struct {
	hash    [sha256.Size]byte
	chain   [keySize]byte
	cipher  cipher.AEAD
	counter uint32
}

// newSymmetricState starts a handshake. The prologue is the header of the channel's very first bytes.
func newSymmetricState(prologue []byte) *symmetricState {
	state := &symmetricState{}
	copy(state.hash[:], socket.NoiseStartPattern) // exactly 32 bytes long, so it stands for its own hash
	state.chain = state.hash
	state.cipher = newCipher(state.hash[:])
	state.mixHash(prologue)
	return state
}

// newCipher never fails: the key has one of the sizes of AES.
func newCipher(key []byte) cipher.AEAD {
	aead, err := gcmutil.Prepare(key)
	if err != nil {
		panic(fmt.Errorf("key of %d bytes: %w", len(key), err))
	}
	return aead
}

func (s *symmetricState) mixHash(data []byte) {
	digest := sha256.New()
	digest.Write(s.hash[:])
	digest.Write(data)
	digest.Sum(s.hash[:0])
}

// mixSharedSecret mixes the result of a Diffie-Hellman into the keys. It refuses public keys of low order.
func (s *symmetricState) mixSharedSecret(priv, pub [keySize]byte) error {
	secret, err := curve25519.X25519(priv[:], pub[:])
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	chain, key := s.split(secret)
	copy(s.chain[:], chain)
	s.cipher = newCipher(key)
	s.counter = 0
	return nil
}

// split derives two keys from the chaining key and the secret; secret is nil for the two transport keys, of which the
// first is for what the client sends.
func (s *symmetricState) split(secret []byte) (first, second []byte) {
	both := hkdfutil.SHA256(secret, s.chain[:], nil, 2*keySize)
	return both[:keySize], both[keySize:]
}

func (s *symmetricState) encrypt(plaintext []byte) []byte {
	nonce := makeNonce(s.counter)
	s.counter++
	ciphertext := s.cipher.Seal(nil, nonce[:], plaintext, s.hash[:])
	s.mixHash(ciphertext)
	return ciphertext
}

func (s *symmetricState) decrypt(ciphertext []byte) ([]byte, error) {
	nonce := makeNonce(s.counter)
	s.counter++
	plaintext, err := s.cipher.Open(nil, nonce[:], ciphertext, s.hash[:])
	if err != nil {
		return nil, fmt.Errorf("%w: ciphertext not authentic", ErrHandshake)
	}
	s.mixHash(ciphertext)
	return plaintext, nil
}

// makeNonce puts the counter, big endian, at the end of the nonce.
func makeNonce(counter uint32) (nonce [nonceSize]byte) {
	binary.BigEndian.PutUint32(nonce[nonceSize-4:], counter)
	return nonce
}
