package interop

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
)

// Options are what a client is made of. All fields without a default must be set.
type Options struct {
	Gatekeeper *Gatekeeper
	Account    Account
	Store      Store
	Tokens     TokenSource
	Handler    Handler
	Log        zerolog.Logger
	// Clock is for tests; nil is the real one.
	Clock Clock
	// HTTPClient dials the websocket and fetches pictures. Shared by all clients of a process. Default http.DefaultClient.
	HTTPClient *http.Client
	// ReadReceipts tells the gatekeeper whether this user sends read receipts.
	ReadReceipts bool
}

// Contact is what the gatekeeper tells about a user of its own.
type Contact struct {
	JID types.JID // without a device
	// Phone is in international form with a plus, "" if the gatekeeper does not tell.
	Phone string
	// Reachable is false if the contact does not accept third-party chats.
	Reachable bool
}

// Picture is a contact's profile picture.
type Picture struct {
	ID  string
	URL string
}

// Client keeps one account's chat channel. All methods are safe for concurrent use.
type Client struct{}

// NewClient makes a client that is not connected and owns nothing but its options.
func NewClient(options Options) *Client { return nil }

// Start connects and returns at once; what happens is told to the handler. Starting a started client does nothing.
func (c *Client) Start() {}

// Stop disconnects and waits, as long as ctx allows, until no handler call is running and all state is stored.
func (c *Client) Stop(ctx context.Context) error { return nil }

// IsConnected tells whether the login succeeded and the channel is up.
func (c *Client) IsConnected() bool { return false }

// Send stores the message in the outbox and returns; it is sent in order as soon as the channel is up, and its fate
// comes as a [SendResult]. A second call with the same id does nothing. ref is carried to the result.
// Fails only if the message cannot be stored or is over 64 KiB ([ErrTooLarge]).
func (c *Client) Send(ctx context.Context, chat types.JID, id types.MessageID, message *waE2E.Message, ref string) error {
	return nil
}

// SendReceipt tells a contact that their messages were read or played. Needs the channel.
func (c *Client) SendReceipt(ctx context.Context, chat types.JID, ids []types.MessageID, kind ReceiptType, at time.Time) error {
	return nil
}

// SendChatState tells a contact that the user types or stopped. Needs the channel; nothing is stored.
func (c *Client) SendChatState(ctx context.Context, chat types.JID, composing bool) error { return nil }

// Resolve looks a phone number up. phone is as people write it; spaces, dots, dashes and parentheses are dropped.
// Errors: ErrInvalidPhone, ErrUnknownContact, ErrNotConnected.
func (c *Client) Resolve(ctx context.Context, phone string) (*Contact, error) { return nil, nil }

// Picture returns the contact's picture, or nil if there is none or it is not shown to us.
func (c *Client) Picture(ctx context.Context, contact types.JID) (*Picture, error) { return nil, nil }

// Leave asks the gatekeeper to delete the enlistment and stops the client.
func (c *Client) Leave(ctx context.Context) error { return nil }

// MessageID returns the id for a message with the given reference: the same reference always gives the same id, so
// that what is sent again after a crash is known as the same message.
func MessageID(account types.JID, ref string) types.MessageID { return "" }
