package homeserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// KV keeps a few small values, encrypted at rest.
type KV interface {
	// Get returns nil if there is no value.
	Get(ctx context.Context, name string) ([]byte, error)
	Set(ctx context.Context, name string, value []byte) error
	Delete(ctx context.Context, name string) error
}

// Options are what a connector is made of. All fields must be set but the last four.
type Options struct {
	Config *bridgeconfig.Config
	// Log is for all but the encryption of rooms, which has EncryptionLog.
	Log, EncryptionLog zerolog.Logger
	// Secrets returns the 32-byte secret of a purpose, derived from the secret key.
	Secrets func(purpose string) [32]byte
	KV      KV
	// RoomKeys keeps the keys of messages that could not be delivered.
	RoomKeys RoomKeys
	// Listen is where transactions come in, as host:port.
	Listen string
	// MaxTransaction bounds the body of a request from the homeserver, in bytes.
	MaxTransaction int64
	// UnencryptedReply is what someone reads who sends a command in a room that is not encrypted.
	UnencryptedReply string
	// ForeignReply is what a user of another server reads who invites the bot.
	ForeignReply string
	// Explain may have a better sentence than bridgev2 for why an event of the type and sender was not bridged. errors.Is and errors.As
	// work on err. The sentence is what the user reads, also where bridgev2 would send no notice, and the failure is a final one;
	// "" leaves it all as it is.
	Explain func(err error, about event.Type, sender id.UserID) string
	// Provision adds requests to the provisioning interface, whose paths are given without /_matrix/provision. Who asks was checked
	// and is what user returns. nil adds none.
	Provision func(router *http.ServeMux, user func(*http.Request) *bridgev2.User)
	// Observe is told of every request to the homeserver and of how long its answer took to begin. answer is nil on an error. nil
	// without.
	Observe func(request *http.Request, answer *http.Response, err error, took time.Duration)
	// WarnAdmins tells the administrators something, in the background.
	WarnAdmins func(text string)
}

// Connector is the bridgev2.MatrixConnector of the daemon.
type Connector struct {
	*matrix.Connector

	options  Options
	features Features
	crypto   *megolm
	intake   *intake
	late     *lateKeys
	missing  *missingKeys
	probe    *probe
	statuses *statusQueue
	server   *transactionServer
	sync     *botSync

	// toDevicePushed: to-device messages and device lists come in transactions. Otherwise the bot syncs for them. It may become true later.
	toDevicePushed atomic.Bool

	transactionIDs transactionIDs
	newcomers      *newcomers
	sent           certainty
	edits          *recentSet[id.EventID] // of users, in chats
	forgotten      *recentSet[id.RoomID]  // see ForgetRoom
	encryptedRooms sync.Map               // of id.RoomID, those that are known to be encrypted
	transport      *stoppableTransport

	media       *http.Client
	mediaStall  time.Duration
	uploadLimit atomic.Int64 // in bytes, 0 if the homeserver does not tell

	// life ends all goroutines of this package but the HTTP server's.
	life    context.Context
	endLife context.CancelFunc
}

var (
	_ bridgev2.MatrixConnector                           = (*Connector)(nil)
	_ bridgev2.MatrixConnectorWithServer                 = (*Connector)(nil)
	_ bridgev2.MatrixConnectorWithArbitraryRoomState     = (*Connector)(nil)
	_ bridgev2.MatrixConnectorWithPostRoomBridgeHandling = (*Connector)(nil)
	_ bridgev2.MatrixConnectorWithProvisioning           = (*Connector)(nil)
)

const (
	// botRetries and ghostRetries are how often a failed request is tried again, 4 and 8 seconds later. What the bot
	// does is part of something larger, such as making a room, and nobody tries that again. What a contact does is
	// tried again by the interop client, with the whole event.
	botRetries   = 2
	ghostRetries = 0
)

// New makes a connector that does nothing yet.
func New(options Options) *Connector {
	c := &Connector{
		Connector:      matrix.NewConnector(options.Config),
		options:        options,
		transactionIDs: transactionIDs{key: options.Secrets("matrix-transaction-id")},
		edits:          newRecentSet[id.EventID](rememberedEdits),
		forgotten:      newRecentSet[id.RoomID](rememberedRooms),
		mediaStall:     mediaStall,
		newcomers:      newNewcomers(),
		probe:          newProbe(),
	}
	c.life, c.endLife = context.WithCancel(context.Background())
	c.intake = newIntake(c)
	c.late = newLateKeys(c)
	c.missing = newMissingKeys(c)
	c.statuses = newStatusQueue(c)
	c.server = newTransactionServer(c)
	c.sync = newBotSync(c)
	return c
}

// Init implements bridgev2.MatrixConnector. It makes no requests.
func (c *Connector) Init(bridge *bridgev2.Bridge) {
	c.Connector.Init(bridge)
	c.Log, c.AS.Log = &c.options.Log, c.options.Log // instead of bridgev2's
	c.Bot.Log = c.options.Log
	c.life = c.Log.WithContext(c.life)
	c.crypto = newMegolm(c)
	c.Connector.Crypto = c.crypto

	c.transport = newStoppableTransport()
	c.transport.observe = c.options.Observe
	c.AS.HTTPClient.Transport = c.transport
	c.AS.HTTPClient.Timeout = requestTimeout
	c.media = newMediaClient(c.transport)
	c.Bot.Client.DefaultHTTPRetries = botRetries
	c.AS.DefaultHTTPRetries = ghostRetries
}

// Start implements bridgev2.MatrixConnector. It waits until the homeserver answers, however long that takes, and
// returns an error only for what waiting cannot heal.
func (c *Connector) Start(ctx context.Context) error {
	listener, err := net.Listen("tcp", c.options.Listen)
	if err != nil {
		return fmt.Errorf("failed to listen for the homeserver: %w", err)
	}
	c.Provisioning.Init()
	if c.options.Provision != nil {
		c.options.Provision(c.Provisioning.Router, c.Provisioning.GetUser)
	}
	c.server.start(listener)
	if err = c.StateStore.Upgrade(ctx); err != nil {
		return bridgev2.DBUpgradeError{Section: "matrix_state", Err: err}
	}
	if err = c.connect(ctx); err != nil {
		return err
	}
	pushed := c.toDevicePushed.Load()
	c.features.log(c.Log, pushed)
	if !pushed || c.features.needsSync() {
		if err = c.sync.start(ctx); err != nil {
			return err
		}
	}
	if !pushed && c.features.Software != Dendrite {
		c.crypto.background.Go(func() { c.keepProbing(c.life) })
	}
	c.missing.start()
	c.UpdateBotProfile(ctx)
	c.server.setReady()
	return nil
}

// PreStop implements bridgev2.MatrixConnector: no new events are taken, those that were are handled to the end.
func (c *Connector) PreStop() {
	c.server.stop()
	c.sync.stop()
}

// Stop implements bridgev2.MatrixConnector. It waits for all goroutines of this package.
func (c *Connector) Stop() {
	c.statuses.drain(statusDrainTimeout)
	c.endLife()
	c.transport.Stop()
	c.intake.foreign.done.Wait()
	c.late.wait()
	c.missing.wait()
	c.statuses.wait()
	c.crypto.Stop()
}

// Interrupt ends all requests to the homeserver that are running, and refuses new ones. For a stop that takes too long.
func (c *Connector) Interrupt() { c.transport.Stop() }

// BotIntent implements bridgev2.MatrixConnector.
func (c *Connector) BotIntent() bridgev2.MatrixAPI {
	return c.wrap(&matrix.ASIntent{Matrix: c.Bot, Connector: c.Connector})
}

const (
	// requestTimeout is longer than the bot's sync may take.
	requestTimeout = 2 * time.Minute
	// statusDrainTimeout is how long a stop waits for message statuses that are not sent yet.
	statusDrainTimeout = time.Second
)
