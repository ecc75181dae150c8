package interop

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
)

const (
	// maxRegistrationID is the highest Signal registration id; the lowest is 1.
	maxRegistrationID = 16380
	// maxPreKeyID is the highest prekey id: 24 bits on the wire. 0xffffff itself means "no one-time prekey" in libsignal.
	maxPreKeyID = 1<<24 - 2

	keysVersion = 1
	// keysSize is the length of a marshalled Keys: version, three private keys, a signature, two ids and a time.
	keysSize = 1 + 3*32 + 64 + 4 + 4 + 8
)

// errKeysFormat: the bytes are not those of Keys.MarshalBinary.
var errKeysFormat = errors.New("not a marshalled set of keys")

// NewKeys makes the keys for a new enlistment.
func NewKeys() (Keys, error) {
	var keys Keys
	var err error
	if keys.Noise, err = NewKeyPair(); err != nil {
		return Keys{}, err
	}
	if keys.Identity, err = NewKeyPair(); err != nil {
		return Keys{}, err
	}
	var random [8]byte
	if _, err = rand.Read(random[:]); err != nil {
		return Keys{}, fmt.Errorf("failed to make a registration id: %w", err)
	}
	keys.RegistrationID = uint32(1 + binary.BigEndian.Uint64(random[:])%maxRegistrationID)
	keys.SignedPreKey, err = newSignedPreKey(keys.Identity, 1, time.Now())
	if err != nil {
		return Keys{}, err
	}
	return keys, nil
}

// NewKeyPair makes a Curve25519 key pair.
func NewKeyPair() (KeyPair, error) {
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return KeyPair{}, fmt.Errorf("failed to make a key pair: %w", err)
	}
	return keyPairFrom(seed)
}

// keyPairFrom clamps the private key, as peers that sign with it expect, and derives the public one.
func keyPairFrom(private [32]byte) (KeyPair, error) {
	private[0] &= 248
	private[31] = private[31]&127 | 64
	key, err := ecdh.X25519().NewPrivateKey(private[:])
	if err != nil {
		return KeyPair{}, fmt.Errorf("failed to make a key pair: %w", err)
	}
	return KeyPair{Pub: [32]byte(key.PublicKey().Bytes()), Priv: private}, nil
}

// newSignedPreKey makes a prekey signed by the identity key.
func newSignedPreKey(identity KeyPair, id uint32, now time.Time) (SignedPreKey, error) {
	pair, err := NewKeyPair()
	if err != nil {
		return SignedPreKey{}, err
	}
	return SignedPreKey{
		PreKey:    PreKey{ID: id, KeyPair: pair},
		Signature: signKey(identity, pair.Pub),
		Created:   now,
	}, nil
}

// signKey signs a public key in its 33-byte form (type, key), as Signal does.
func signKey(identity KeyPair, public [32]byte) [64]byte {
	return ecc.CalculateSignature(ecc.NewDjbECPrivateKey(identity.Priv), ecc.NewDjbECPublicKey(public).Serialize())
}

// MarshalBinary returns the keys in 177 bytes. They hold secrets: encrypt them before they reach a disk.
func (k Keys) MarshalBinary() ([]byte, error) {
	data := make([]byte, 0, keysSize)
	data = append(data, keysVersion)
	data = append(data, k.Noise.Priv[:]...)
	data = append(data, k.Identity.Priv[:]...)
	data = binary.BigEndian.AppendUint32(data, k.RegistrationID)
	data = binary.BigEndian.AppendUint32(data, k.SignedPreKey.ID)
	data = append(data, k.SignedPreKey.Priv[:]...)
	data = append(data, k.SignedPreKey.Signature[:]...)
	return binary.BigEndian.AppendUint64(data, uint64(k.SignedPreKey.Created.Unix())), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Public keys are derived from the private ones.
func (k *Keys) UnmarshalBinary(data []byte) error {
	if len(data) != keysSize || data[0] != keysVersion {
		return errKeysFormat
	}
	var keys Keys
	var err error
	if keys.Noise, err = keyPairFrom([32]byte(data[1:33])); err != nil {
		return err
	}
	if keys.Identity, err = keyPairFrom([32]byte(data[33:65])); err != nil {
		return err
	}
	keys.RegistrationID = binary.BigEndian.Uint32(data[65:69])
	keys.SignedPreKey.ID = binary.BigEndian.Uint32(data[69:73])
	if keys.SignedPreKey.KeyPair, err = keyPairFrom([32]byte(data[73:105])); err != nil {
		return err
	}
	keys.SignedPreKey.Signature = [64]byte(data[105:169])
	keys.SignedPreKey.Created = time.Unix(int64(binary.BigEndian.Uint64(data[169:177])), 0)
	*k = keys
	return nil
}
