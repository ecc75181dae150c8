package database

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// SecretKeySize is the length of the secret key in bytes.
const SecretKeySize = 32

// derivePrefix is part of every derivation, so that the same secret in another program gives other keys. The number
// changes if the scheme ever does.
const derivePrefix = "postern/v1/"

// ErrSecretKeyFormat: the text is not a secret key.
var ErrSecretKeyFormat = errors.New("a secret key is 32 random bytes as 64 hex digits or as base64; make one with: openssl rand -hex 32")

// SecretKey is the root of everything that is encrypted at rest. It is used for derivation only, never directly. It
// prints as a placeholder in every format.
type SecretKey struct {
	key [SecretKeySize]byte
}

// NewSecretKey makes a random secret key.
func NewSecretKey() SecretKey {
	var k SecretKey
	rand.Read(k.key[:]) // never fails, see crypto/rand
	return k
}

// ParseSecretKey reads 64 hex digits, or standard or URL base64 with or without padding. White space around it is
// dropped. The error is [ErrSecretKeyFormat] and never holds the text.
func ParseSecretKey(text string) (SecretKey, error) {
	var k SecretKey
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil {
		encoding := base64.RawStdEncoding
		if strings.ContainsAny(text, "-_") {
			encoding = base64.RawURLEncoding
		}
		raw, err = encoding.Strict().DecodeString(strings.TrimRight(text, "="))
	}
	if err != nil || len(raw) != SecretKeySize || bytes.Equal(raw, make([]byte, SecretKeySize)) {
		return SecretKey{}, ErrSecretKeyFormat
	}
	copy(k.key[:], raw)
	return k, nil
}

// IsZero tells whether this is the zero value, which is no key.
func (k SecretKey) IsZero() bool { return k.key == [SecretKeySize]byte{} }

// Derive returns the secret for a purpose, such as "matrix-pickle-key": always the same for the same key and purpose,
// and of no help in finding the key or another purpose's secret. Purposes that start with "database/" or "seal/"
// are ours.
func (k SecretKey) Derive(purpose string) [SecretKeySize]byte {
	derived, err := hkdf.Key(sha256.New, k.key[:], nil, derivePrefix+purpose, SecretKeySize)
	if err != nil {
		panic(fmt.Sprintf("derive 32 bytes by HKDF: %v", err)) // only for lengths over 8160 bytes
	}
	return [SecretKeySize]byte(derived)
}

// hexText is what goes into the key file.
func (k SecretKey) hexText() []byte {
	return append(hex.AppendEncode(nil, k.key[:]), '\n')
}

// Format keeps the key out of every log and error text.
func (k SecretKey) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[secret key]") }
