package interop

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Options are what a client is made of. All fields without a default must be set.
type Options struct {
	// Gatekeeper is shared by all clients of a process.
	Gatekeeper *Gatekeeper
	// Account is the enlistment to connect with. The signed prekey in its keys is copied to an empty store.
	Account Account
	// Store keeps this account's state and nothing else's. Only one client may use it at a time.
	Store   Store
	Tokens  TokenSource
	Handler Handler
	Log     zerolog.Logger
	// Clock is for tests; nil is the real one.
	Clock Clock
	// Jitter is for tests: numbers of at least 0 and under 1, safe for concurrent use; nil is random.
	Jitter func() float64
	// HTTPClient dials the websocket and fetches files. Shared by all clients of a process. Default http.DefaultClient.
	HTTPClient *http.Client
	// Complete makes a message of a draft that was given to SendDraft. It is called while the channel is up, for one draft of
	// a chat at a time and for different chats side by side, and takes the time that it takes; its ctx ends with Stop, which
	// waits for it. The message may have 64 KiB, like any other. An error around [ErrHopeless] is final, its text is stored;
	// after any other the chat waits and Complete is called again, without end. It may also be called again for a draft that
	// it completed if the program ended before that was stored. nil without drafts.
	Complete func(ctx context.Context, draft Draft) (*waE2E.Message, error)
	// HoldOnNewKey tells whether messages to a contact whose identity key changes wait until [Client.Agree]. It is called within
	// a transaction of the store, and should do no more than look into the same database. nil is never. What is held
	// already stays so.
	HoldOnNewKey func(ctx context.Context) (bool, error)
	// Answers tells what a contact may learn of what becomes of their messages. Without a receipt a message is acknowledged to the
	// gatekeeper alone. Everything still reaches the handler, and it is asked after the handler took the message. It is called for
	// every message, also while the channel is read, and should do no more than look into a database. nil is all, for all.
	Answers func(ctx context.Context, contact types.JID) (Answers, error)
	// ReadReceipts is asked at every login whether this user sends read receipts, which the gatekeeper is told. nil is no.
	ReadReceipts func() bool
	// Observe is called at every incident, often, from any goroutine, with locks held: it must only count. nil without.
	Observe func(Incident)
}

// Contact is what the gatekeeper tells about a user of its own.
type Contact struct {
	JID types.JID // without a device
	// Phone is in international form with a plus, "" if the gatekeeper does not tell.
	Phone string
	// Reachable is false if the contact does not accept third-party chats.
	Reachable bool
}

// Client keeps one account's chat channel. All methods are safe for concurrent use, but Stop and Leave must not be called
// by a handler, since they wait for it.
//
// While it is connected and idle, a client owns one goroutine, which reads the channel. Everything else runs only while
// there is work: a worker for each chat with events to handle, a sender, one for each chat with a draft to complete, and one
// each for acks to store, for the set-up after a login and for retry receipts. All end with Stop.
type Client struct {
	options  Options
	sessions *sessions

	// sending makes the order of Enqueue that of Send's callers, even on stores whose transactions overlap.
	sending sync.Mutex

	mu      sync.Mutex
	current *run // the latest, which may have ended; nil before the first Start
}

// NewClient makes a client that is not connected and owns nothing but its options.
func NewClient(options Options) *Client {
	if options.Clock == nil {
		options.Clock = systemClock{}
	}
	if options.Jitter == nil {
		options.Jitter = rand.Float64
	}
	if options.HTTPClient == nil {
		options.HTTPClient = http.DefaultClient
	}
	options.Log = options.Log.With().
		Str("gatekeeper", options.Gatekeeper.ID).
		Str("account", wire.FormatJID(options.Account.JID)).
		Logger()
	client := &Client{
		options:  options,
		sessions: newSessions(options.Store, newLocalIdentity(&options.Account.Keys)),
	}
	client.sessions.holdOnNewKey = options.HoldOnNewKey
	return client
}

// Start connects and returns at once; what happens is told to the handler. Starting a started client does nothing. A
// client that was stopped, or that ended, can be started again.
func (c *Client) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var before *run
	if c.current != nil {
		if !c.current.isEnding() {
			return
		}
		before = c.current
	}
	c.current = newRun(c)
	go c.current.loop(before)
}

// Stop disconnects and waits, as long as ctx allows, until no handler call is running and all state is stored. When ctx
// ends first, the contexts of running handler calls are cancelled and ctx's error is returned.
//
// Events that no handler call was made for come again after the next Start.
func (c *Client) Stop(ctx context.Context) error {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current == nil {
		return nil
	}
	current.stop()
	select {
	case <-current.done:
		c.forget(current)
		return nil
	case <-ctx.Done():
		current.abandon()
		return fmt.Errorf("failed to stop the client in time: %w", ctx.Err())
	}
}

// forget gives back the memory of a run that has ended: of many clients, most may not be connected.
func (c *Client) forget(ended *run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == ended {
		c.current = nil
		c.sessions.drop()
	}
}

// IsConnected tells whether the login succeeded and the channel is up.
func (c *Client) IsConnected() bool { return c.connected() != nil }

// connected returns the connection if the channel is up, otherwise nil.
func (c *Client) connected() *connection {
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current == nil {
		return nil
	}
	return current.connected()
}
