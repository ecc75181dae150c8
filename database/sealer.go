package database

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
)

// sealVersion is the first byte of everything sealed: AES-256-GCM with a random nonce of 12 bytes in front.
const sealVersion = 1

// SealOverhead is how many bytes sealing adds: version, nonce and tag.
const SealOverhead = 1 + 12 + 16

// ErrSealBroken: what was read was changed, moved to another row, cut, or sealed with another key.
var ErrSealBroken = errors.New("a sealed value in the database cannot be opened: it was changed, moved or sealed with another secret key")

// Sealer encrypts and authenticates values for one purpose with a key of its own. A random nonce is safe for 2^32 values
// under one key (NIST SP 800-38D, 8.3), which is why every account has its own sealer: at 100 values a second that is
// more than a year without a pause.
type Sealer struct {
	aead cipher.AEAD
}

// Sealer returns the sealer for a purpose. Deriving costs about two microseconds: keep it if it is used often.
func (k SecretKey) Sealer(purpose string) *Sealer {
	derived := k.Derive("seal/" + purpose)
	block, err := aes.NewCipher(derived[:])
	if err != nil {
		panic(fmt.Sprintf("make AES-256 of a 32 byte key: %v", err))
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("make GCM of AES: %v", err))
	}
	return &Sealer{aead: aead}
}

// Seal encrypts plaintext for one place. The context names that place, such as table, column and row key; the value
// opens with the same context only, so it cannot be moved elsewhere. plaintext is not changed.
func (s *Sealer) Seal(plaintext []byte, context ...string) []byte {
	sealed := make([]byte, 1, SealOverhead+len(plaintext))
	sealed[0] = sealVersion
	return s.aead.Seal(sealed, nil, plaintext, additionalData(context))
}

// Open is the inverse of Seal. The result is never nil unless there is an error, which is [ErrSealBroken].
func (s *Sealer) Open(sealed []byte, context ...string) ([]byte, error) {
	if len(sealed) < SealOverhead || sealed[0] != sealVersion {
		return nil, ErrSealBroken
	}
	plaintext, err := s.aead.Open(make([]byte, 0, len(sealed)-SealOverhead), nil, sealed[1:], additionalData(context))
	if err != nil {
		return nil, ErrSealBroken
	}
	return plaintext, nil
}

// additionalData joins the version and the parts, each with its length, so that no two contexts give the same bytes.
func additionalData(context []string) []byte {
	size := 1
	for _, part := range context {
		size += 4 + len(part)
	}
	data := append(make([]byte, 0, size), sealVersion)
	for _, part := range context {
		data = binary.BigEndian.AppendUint32(data, uint32(len(part)))
		data = append(data, part...)
	}
	return data
}
