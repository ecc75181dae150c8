package provider

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrNextKeyExists: there can be one next key.
	ErrNextKeyExists = errors.New("there is a next signing key already")
	// ErrKeysChanged: somebody else changed the keys at the same moment.
	ErrKeysChanged = errors.New("the signing keys were changed by someone else at the same time; look at them again")
)

// KeyState is where a signing key stands in its life. All keys that are stored are published, whatever their state.
type KeyState string

const (
	// KeyNext is published, so that verifiers learn it, and does not sign yet. There is one at most.
	KeyNext KeyState = "next"
	// KeyActive signs. There is one at most.
	KeyActive KeyState = "active"
	// KeyRetired does not sign any more and is published until the last token it signed has expired.
	KeyRetired KeyState = "retired"
)

// StoredKey is a signing key as stores keep it.
type StoredKey struct {
	// ID is the kid: the SHA-256 thumbprint of the public key by RFC 7638, as unpadded base64url.
	ID    string
	State KeyState
	// PKCS8 is the private key in DER. Stores encrypt it before it reaches the disk.
	PKCS8   []byte
	Created time.Time
	// Published is when the key was stored and so published. A key signs only [KeyLead] later, except for the very first
	// one, for which there is no older copy to be cached.
	Published time.Time
	// Retired is when the key stopped to be active, zero before. It is removed [KeyTail] later.
	Retired time.Time
}

// KeyStore keeps signing keys. Implementations are safe for concurrent use, by several processes too.
type KeyStore interface {
	// SigningKeys returns all keys, newest first.
	SigningKeys(ctx context.Context) ([]StoredKey, error)
	// AddFirstKey stores an active key. If there is an active key already it changes nothing and returns nil: of two
	// processes that start for the first time, one wins, and both read its key with SigningKeys.
	AddFirstKey(ctx context.Context, key StoredKey) error
	// AddNextKey stores a next key. Error: [ErrNextKeyExists].
	AddNextKey(ctx context.Context, key StoredKey) error
	// RotateKeys retires the active key and makes the next one active, both or neither. Error: [ErrKeysChanged] if they are
	// not what the caller takes them for.
	RotateKeys(ctx context.Context, active, next string, at time.Time) error
	// RemoveRetiredKeys erases the keys that were retired before that time.
	RemoveRetiredKeys(ctx context.Context, before time.Time) error
}
