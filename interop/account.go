package interop

import (
	"context"
	"net/url"
	"time"

	"go.mau.fi/whatsmeow/types"
)

// Product names the gatekeeper service that an account is enlisted with. The values are those of
// ClientPayload.Product in the public protobufs.
type Product string

const (
	ProductWhatsApp  Product = "whatsapp"  // ClientPayload.INTEROP
	ProductMessenger Product = "messenger" // ClientPayload.INTEROP_MSGR
)

// Gatekeeper is what a client must know of one gatekeeper. It is read-only after start and shared by all clients.
type Gatekeeper struct {
	// ID is the admin's short name for this entry in the config, such as "whatsapp". It is a stable key in databases.
	ID string
	// Name is what people read, such as "WhatsApp".
	Name string
	// Product selects the login payload's product.
	Product Product
	// Integrator is the number that the gatekeeper gave to this partner.
	Integrator uint16
	// EnlistURL is the enlistment endpoint, such as https://v.whatsapp.net/3p/interop_reg.
	EnlistURL *url.URL
	// ChatURL is the chat channel's websocket, ws:// or wss://.
	ChatURL *url.URL
	// MediaURL is the media host that contacts' files are fetched from, such as https://mmg.whatsapp.net; nil if there is none.
	MediaURL *url.URL
	// RootKey is the Curve25519 public key that signs the chat server's certificate chain.
	RootKey [32]byte
	// Audience is what tokens for this gatekeeper are issued to.
	Audience string
	// ProtocolVersion is sent at enlistment and login, as major.minor.patch.
	ProtocolVersion [3]uint32
}

// Account is one enlistment: a Matrix user known to one gatekeeper.
type Account struct {
	// JID is the internal identifier that the gatekeeper assigned, such as 1-10853634039893@interop.
	JID types.JID
	// UserVisibleID is how people know the user: the Matrix ID.
	UserVisibleID string
	// Keys never change for the life of an enlistment.
	Keys Keys
}

// Keys are the long-lived secrets of one enlistment.
type Keys struct {
	// Noise is the static key of the chat channel, sent as authkey at enlistment.
	Noise KeyPair
	// Identity is the Signal identity key.
	Identity KeyPair
	// RegistrationID is the Signal registration id, 1 to 16380.
	RegistrationID uint32
	// SignedPreKey is the one given to the gatekeeper at enlistment. The client copies it to its store when it starts
	// for the first time; later ones are in the store only.
	SignedPreKey SignedPreKey
}

// KeyPair is a Curve25519 key pair. Priv must never be logged or stored in the clear.
type KeyPair struct {
	Pub  [32]byte
	Priv [32]byte
}

// PreKey is a one-time prekey. IDs are 24 bits wide on the wire and never 0.
type PreKey struct {
	ID uint32
	KeyPair
}

// SignedPreKey is a prekey signed by the identity key.
type SignedPreKey struct {
	PreKey
	Signature [64]byte
	// Created is when the gatekeeper got it, zero before that.
	Created time.Time
}

// TokenSource issues identity tokens. The partner server implements it, in process today, over HTTP when the client
// runs on the user's own device.
type TokenSource interface {
	// Token returns a fresh JWT that proves to the audience that its bearer owns the user-visible identifier now.
	Token(ctx context.Context, userVisibleID, audience string) (string, error)
}
