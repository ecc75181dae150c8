package interop

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Store keeps the state of one account. Implementations encrypt every secret and every plain text before it reaches
// the disk, and are safe for concurrent use. All byte slices and structs passed in or out are owned by the receiver.
//
// What was damaged on the disk counts as missing, which the implementation tells in its log; of the outbox see
// Outgoing.Damaged. So one damaged value costs a message or a session, which contacts' clients mend, and not the account.
type Store interface {
	// Atomically runs fn in one transaction: everything that fn does with the context it is given is durable when
	// Atomically returns nil, and undone otherwise. Calls may nest; only the outermost commits.
	Atomically(ctx context.Context, fn func(ctx context.Context) error) error

	SessionStore
	PreKeyStore
	HoldStore
	Outbox
	Inbox
}

// Address names one remote device. Sessions and identities are keyed by all of it: two users of different integrators
// or servers may have the same number.
type Address struct {
	Server     string // such as "s.whatsapp.net", "lid", "interop"
	Integrator uint16 // 0 unless Server is "interop"
	User       string
	Device     uint16
}

// AddressOf returns the address of the device that jid names.
func AddressOf(jid types.JID) Address {
	return Address{Server: jid.Server, Integrator: jid.Integrator, User: jid.User, Device: jid.Device}
}

// JID is the inverse of [AddressOf].
func (a Address) JID() types.JID {
	return types.JID{Server: a.Server, Integrator: a.Integrator, User: a.User, Device: a.Device}
}

// String returns the form used as a key in stores, such as "s.whatsapp.net/0/4915112345678/3".
func (a Address) String() string {
	return fmt.Sprintf("%s/%d/%s/%d", a.Server, a.Integrator, a.User, a.Device)
}

// SessionStore keeps Signal sessions and the identity keys of remote devices.
type SessionStore interface {
	// LoadSession returns the serialized session, or nil if there is none. Sessions are mostly 1 KiB, at most 1 MiB.
	LoadSession(ctx context.Context, address Address) ([]byte, error)
	SaveSession(ctx context.Context, address Address, session []byte) error
	DeleteSession(ctx context.Context, address Address) error
	// LoadIdentity returns the identity key last seen for the device; ok is false if none was.
	LoadIdentity(ctx context.Context, address Address) (key [32]byte, ok bool, err error)
	SaveIdentity(ctx context.Context, address Address, key [32]byte) error
	// SetIdentityTold notes whether the user knows of the identity key that was saved last for the device, which is so until
	// this says otherwise. It does nothing for a device without one.
	SetIdentityTold(ctx context.Context, address Address, told bool) error
	// UntoldIdentities returns the devices whose key the user does not know of, in no order.
	UntoldIdentities(ctx context.Context) ([]Address, error)
}

// HoldStore keeps for which contacts messages wait until the user agrees to a new identity key. A contact's device is ignored.
type HoldStore interface {
	// IsHeld is false for a contact that SetHeld was never called for.
	IsHeld(ctx context.Context, contact types.JID) (bool, error)
	SetHeld(ctx context.Context, contact types.JID, held bool) error
}

// PreKeyStore keeps our own prekeys, private parts included.
type PreKeyStore interface {
	// LastPreKeyID returns the highest one-time prekey id ever stored, 0 if none. It does not fall when keys are removed.
	LastPreKeyID(ctx context.Context) (uint32, error)
	// AddPreKeys stores new keys. sent is true for a key that reaches its one contact in a retry receipt: it counts as
	// uploaded from the start, so that the gatekeeper never hands it to somebody else.
	AddPreKeys(ctx context.Context, keys []PreKey, sent bool) error
	// PruneSentPreKeys forgets, of the keys that were stored as sent, all but the keep newest and all that were stored before the time.
	PruneSentPreKeys(ctx context.Context, keep int, before time.Time) error
	// LoadPreKey returns nil if there is no such key, which happens when it was used.
	LoadPreKey(ctx context.Context, id uint32) (*PreKey, error)
	// RemovePreKey does nothing if there is no such key.
	RemovePreKey(ctx context.Context, id uint32) error
	// UnsentPreKeys returns the keys that MarkPreKeysUploaded was not called for, lowest id first.
	UnsentPreKeys(ctx context.Context) ([]PreKey, error)
	// MarkPreKeysUploaded marks all keys with an id of at most upTo.
	MarkPreKeysUploaded(ctx context.Context, upTo uint32) error

	// AddSignedPreKey replaces a key with the same id.
	AddSignedPreKey(ctx context.Context, key SignedPreKey) error
	// LoadSignedPreKey returns nil if there is no such key. id 0 means the newest, which is the one with the highest id of those
	// that are not damaged.
	LoadSignedPreKey(ctx context.Context, id uint32) (*SignedPreKey, error)
	// RemoveSignedPreKeys removes those that were followed by another one created before the time, so never the newest.
	RemoveSignedPreKeys(ctx context.Context, before time.Time) error
}

// OutgoingState is where a message in the outbox stands.
type OutgoingState int

const (
	// OutgoingPending waits to be sent, or was sent and waits for the gatekeeper's ack.
	OutgoingPending OutgoingState = iota
	// OutgoingSent was acknowledged by the gatekeeper; kept for retry receipts.
	OutgoingSent
	// OutgoingFailed was refused for good; Failure says why.
	OutgoingFailed
)

// Outgoing is a message on its way to a contact.
type Outgoing struct {
	// Seq is the place in the outbox: given by Enqueue, over 0, and higher than that of every message before it.
	Seq  int64
	ID   types.MessageID
	Chat types.JID // without a device
	// Plaintext is the serialized waE2E.Message, without padding. Nil once the message failed.
	Plaintext []byte
	// Damaged: there should be a Plaintext, and it cannot be read any more.
	Damaged bool
	// Draft: Plaintext is not a message yet but what the caller makes one from before it can be sent.
	Draft bool
	// Ref is the caller's reference for this message (the Matrix event ID); the client only carries it.
	Ref   string
	State OutgoingState
	// Devices are the numbers of the chat's devices that the message was encrypted for, in no order: those that may ask for
	// it again. Nil unless it was sent.
	Devices []uint16
	Failure string
	Created time.Time
}

// Outbox keeps messages from the moment Send accepts them until a retry receipt can no longer ask for them.
// The order of Pending is the order of Enqueue.
type Outbox interface {
	// Enqueue stores a pending message and gives it the next Seq; Seq, State, Devices and Failure of the argument are ignored. If
	// the ID is there already, in whatever state, it changes nothing and returns false.
	Enqueue(ctx context.Context, message Outgoing) (added bool, err error)
	// PendingMessages returns up to limit pending messages with a Seq over after, oldest first.
	PendingMessages(ctx context.Context, after int64, limit int) ([]Outgoing, error)
	// FindOutgoing returns nil if the message is unknown or pruned.
	FindOutgoing(ctx context.Context, id types.MessageID) (*Outgoing, error)
	// CompleteOutgoing makes a pending draft a message with the plain text; its Seq stays. Of anything else it changes nothing.
	CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error
	// SetOutgoingSent ends the pending state and notes which devices the message was encrypted for, at most 64. Of a message
	// that is unknown or not pending it changes nothing.
	SetOutgoingSent(ctx context.Context, id types.MessageID, devices []uint16) error
	// SetOutgoingFailed ends the pending state and erases the plain text; failure says why and holds no content. Of a message
	// that is unknown or not pending it changes nothing.
	SetOutgoingFailed(ctx context.Context, id types.MessageID, failure string) error
	// PruneOutgoing forgets, of the messages that are not pending, all but the keep newest (by Seq) and all that were
	// created before the time. Pending messages stay.
	PruneOutgoing(ctx context.Context, keep int, before time.Time) error
}

// Inbox keeps what was decrypted but not yet delivered: a Signal message can be decrypted only once, so its plain text
// is stored (encrypted at rest) in the transaction that advances the ratchet, and forgotten when the handler is done.
type Inbox interface {
	// PutReceived stores the plain text under the SHA-256 of its ciphertext and sender. The bytes are the client's own
	// envelope around the plain text; stores do not look inside.
	PutReceived(ctx context.Context, hash [32]byte, plaintext []byte) error
	// FindReceived returns ok for a ciphertext that was decrypted before; plaintext is nil once it was delivered.
	FindReceived(ctx context.Context, hash [32]byte) (plaintext []byte, ok bool, err error)
	// MarkDelivered erases the plain text and keeps the hash, so that a repeated delivery is known as such. It does
	// nothing for an unknown hash.
	MarkDelivered(ctx context.Context, hash [32]byte) error
	// PruneReceived forgets hashes marked as delivered before the time; what is not delivered yet stays.
	PruneReceived(ctx context.Context, before time.Time) error
}
