package interop

import (
	"errors"
	"fmt"
)

var (
	// ErrNotEnlisted: the gatekeeper does not know the account any more. Enlisting again is the remedy.
	ErrNotEnlisted = errors.New("not enlisted with the gatekeeper any more")
	// ErrOutdated: the gatekeeper wants a newer protocol version. Updating the program is the remedy.
	ErrOutdated = errors.New("protocol version refused by the gatekeeper as too old")
	// ErrReplaced: the same account connected elsewhere. The client tries again after a pause of minutes.
	ErrReplaced = errors.New("replaced by another connection of the same account")
	// ErrTokenRefused: the gatekeeper refused fresh tokens again and again. The client goes on trying, with long pauses.
	ErrTokenRefused = errors.New("identity token refused by the gatekeeper")
	// ErrUntrustedServer: the chat server's certificate chain does not lead to the configured root key.
	ErrUntrustedServer = errors.New("chat server certificate not signed by the configured root key")

	// ErrInvalidPhone: the identifier is not a phone number in international form.
	ErrInvalidPhone = errors.New("not a phone number in international form")
	// ErrUnknownContact: the gatekeeper knows nobody by that phone number.
	ErrUnknownContact = errors.New("no such user at the gatekeeper")
	// ErrNotReachable: the contact exists, but has third-party chats off or does not allow this partner.
	ErrNotReachable = errors.New("contact does not accept third-party chats")
	// ErrTooManyPings: this user, or this user for this contact, has to wait before the next ping.
	ErrTooManyPings = errors.New("too many pings")
	// ErrNoKeys: the gatekeeper gives no keys of a contact that a message can be encrypted with.
	ErrNoKeys = errors.New("no device of the contact can be encrypted for")
	// ErrNotConnected: the request needs the chat channel, which is down.
	ErrNotConnected = errors.New("chat channel is not connected")
	// ErrUnconfirmed: the gatekeeper did not say that it took a message, again and again, though it took later ones. It may have.
	ErrUnconfirmed = errors.New("the gatekeeper does not confirm the message")
	// ErrDamaged: the store cannot read the message any more.
	ErrDamaged = errors.New("message was damaged in the store before it could be sent")
	// ErrTooLarge: a message or stanza is over the protocol's limit.
	ErrTooLarge = errors.New("message too large for the chat channel")
)

// EnlistError is a refusal at enlistment, with the gatekeeper's reason, such as "bad_integrator" or "bad_token".
type EnlistError struct{ Reason string }

func (e *EnlistError) Error() string { return "enlistment refused by the gatekeeper: " + e.Reason }

// StanzaError is an error code in an ack or iq, such as 404 or 503.
type StanzaError struct {
	Code int
	Text string
}

func (e *StanzaError) Error() string {
	return fmt.Sprintf("gatekeeper answered with error %d: %s", e.Code, e.Text)
}
