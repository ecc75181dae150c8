package interop

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Handler receives a client's events.
//
// Calls for one chat come one at a time and in the order of the chat channel; different chats run side by side.
// For [Message], [Undecryptable], [Receipt] and [ContactReachable] a nil return means delivered: only then is the stanza acknowledged to
// the gatekeeper. On an error the client calls again, with backoff, until the handler succeeds or the client stops;
// after a stop the gatekeeper delivers the stanza again. [IdentityChanged] is handed over again on an error too, since
// it must not be missed and the message after it must wait. For all other events the error is logged only.
//
// The context of a call ends only when [Client.Stop] runs out of time; a handler that waits should return an error
// instead and be called again.
type Handler interface {
	HandleEvent(ctx context.Context, event Event) error
}

// Event is one of the types in this file.
type Event interface{ isEvent() }

// MessageInfo is the envelope of a message.
type MessageInfo struct {
	ID types.MessageID
	// Chat is the contact's JID without a device.
	Chat types.JID
	// Sender is the sending device.
	Sender types.JID
	// PushName is the contact's own name for themselves, "" if the stanza had none. Not yet sanitized.
	PushName string
	// Timestamp is the gatekeeper's, to the second.
	Timestamp time.Time
	// Received is when it came over the chat channel, this time.
	Received time.Time
	// Offline is true if the message waited in the mailbox.
	Offline bool
}

// Message is a decrypted message. If an Undecryptable with the same ID came before, this is the retry that replaces it.
type Message struct {
	MessageInfo
	Message *waE2E.Message
}

// Undecryptable is a message that could not be decrypted. If that can help, a retry receipt was sent already. It comes once
// for a message, or again after a restart.
type Undecryptable struct {
	MessageInfo
	// Reason is for the log; it holds no content.
	Reason error
	// Hide is the sender's wish that nothing is shown in its place: it is a reaction, an edit or the like.
	Hide bool
}

// ReceiptType tells what a contact did with our messages.
type ReceiptType string

const (
	ReceiptDelivered ReceiptType = "delivered"
	ReceiptRead      ReceiptType = "read"
	ReceiptPlayed    ReceiptType = "played"
)

// Receipt says that a contact's device received, read or played messages of ours.
type Receipt struct {
	Chat      types.JID
	Sender    types.JID
	IDs       []types.MessageID // at most 256
	Type      ReceiptType
	Timestamp time.Time
}

// ChatState says that a contact is typing, recording or stopped.
type ChatState struct {
	Chat      types.JID
	Composing bool
	Recording bool // a voice message rather than text; only if Composing
}

// IdentityChanged says that a contact's device has a new identity key. It comes before the first message under it.
type IdentityChanged struct {
	Contact   types.JID // the device
	Timestamp time.Time
}

// ContactChanged says that a contact's profile should be fetched again.
type ContactChanged struct {
	Contact types.JID
}

// ContactReachable says that a contact who was asked with [Client.Ping] accepts third-party chats now. On an error it is handed
// over again, like a message.
type ContactReachable struct {
	Contact types.JID
}

// BlocklistChanged says that the gatekeeper's blocklist changed in another way than by [Client.SetBlocked].
type BlocklistChanged struct{}

// SendResult is the fate of a message given to Send: accepted by the gatekeeper, or refused for good. It comes at least
// once: again if the program ended before the end of the message was stored. It is in order with the chat's other events.
type SendResult struct {
	ID   types.MessageID
	Chat types.JID
	Ref  string
	// Kind is one of [Kinds], KindFile for a draft that was not completed. Queued is when Send took it.
	Kind   string
	Queued time.Time
	// Err is nil if the gatekeeper acknowledged the message; otherwise errors.Is tells [ErrNotReachable] and the like. Of a
	// draft that is hopeless it is what Complete returned.
	Err error
}

// HeldBack says that a message given to Send waits until the user agrees to the contact's new identity key; see [Client.Agree].
// It comes after the [IdentityChanged], once for each message, and again after a restart.
type HeldBack struct {
	ID   types.MessageID
	Chat types.JID
	Ref  string
}

// Connected says that the login succeeded and the chat channel is up.
type Connected struct{}

// OfflineDelivered says that everything that waited in the mailbox at login has been handed to the handler.
type OfflineDelivered struct{ Count int }

// Disconnected says that the channel went down and when the next try comes. errors.Is tells what somebody should look
// after: [ErrTokenRefused], [ErrReplaced] or [ErrUntrustedServer].
type Disconnected struct {
	Err     error
	RetryIn time.Duration
}

// Ended says that the client stopped for good and will not reconnect. errors.Is tells [ErrNotEnlisted] or [ErrOutdated].
type Ended struct{ Err error }

func (*Message) isEvent()          {}
func (*Undecryptable) isEvent()    {}
func (*Receipt) isEvent()          {}
func (*ChatState) isEvent()        {}
func (*IdentityChanged) isEvent()  {}
func (*ContactChanged) isEvent()   {}
func (*ContactReachable) isEvent() {}
func (*SendResult) isEvent()       {}
func (*BlocklistChanged) isEvent() {}
func (*HeldBack) isEvent()         {}
func (*Connected) isEvent()        {}
func (*OfflineDelivered) isEvent() {}
func (*Disconnected) isEvent()     {}
func (*Ended) isEvent()            {}
