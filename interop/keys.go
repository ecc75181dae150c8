package interop

import (
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"go.mau.fi/libsignal/ecc"

	"postern/interop/wire"
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

// Format keeps the private key out of logs and error texts, whatever the verb.
func (k KeyPair) Format(state fmt.State, _ rune) { _, _ = fmt.Fprintf(state, "KeyPair(%x)", k.Pub[:]) }

// errKeysFormat: the bytes are not those of Keys.MarshalBinary.
var errKeysFormat = errors.New("not a marshalled set of keys")

// NewKeys makes the keys for a new enlistment.
func NewKeys() Keys {
	keys := Keys{
		Noise:          NewKeyPair(),
		Identity:       NewKeyPair(),
		RegistrationID: 1 + mathrand.Uint32N(maxRegistrationID), // an id that tells reinstalls apart, not a secret
	}
	keys.SignedPreKey = newSignedPreKey(keys.Identity, 1, time.Now())
	return keys
}

// NewKeyPair makes a Curve25519 key pair from the system's random source, which never fails.
func NewKeyPair() KeyPair { return KeyPair(wire.NewKeyPair()) }

// keyPairFrom derives the key pair of a private key.
func keyPairFrom(private []byte) KeyPair { return KeyPair(wire.KeyPairFrom([32]byte(private))) }

// newSignedPreKey makes a prekey signed by the identity key.
func newSignedPreKey(identity KeyPair, id uint32, now time.Time) SignedPreKey {
	key := SignedPreKey{PreKey: PreKey{ID: id, KeyPair: NewKeyPair()}, Created: now}
	key.Signature = signKey(identity, key.Pub)
	return key
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
	k.Noise = keyPairFrom(data[1:33])
	k.Identity = keyPairFrom(data[33:65])
	k.RegistrationID = binary.BigEndian.Uint32(data[65:69])
	k.SignedPreKey = SignedPreKey{
		PreKey:    PreKey{ID: binary.BigEndian.Uint32(data[69:73]), KeyPair: keyPairFrom(data[73:105])},
		Signature: [64]byte(data[105:169]),
		Created:   time.Unix(int64(binary.BigEndian.Uint64(data[169:177])), 0),
	}
	return nil
}
