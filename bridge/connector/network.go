package connector

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/adminroom"
	"postern/bridge/audit"
	"postern/bridge/limits"
	"postern/bridge/outbound"
	"postern/bridge/records"
	"postern/database"
	"postern/portal"
	"postern/puppet"
)

// init sets how bridgev2 handles events, which it keeps in variables. Without a buffer, queueing an event handles it
// and returns the result, and no portal has a goroutine of its own. With an endless timeout it never goes on in the
// background while it tells us that all is well.
func init() {
	bridgev2.PortalEventBuffer = 0
	bridgev2.EventHandlingTimeoutTicks = math.MaxInt
}

// DisconnectTimeout is when a stop no longer waits for a chat channel.
const DisconnectTimeout = 5 * time.Second

// Network is the bridgev2.NetworkConnector: what all logins share.
type Network struct {
	Options
	bridge      *bridgev2.Bridge
	log         zerolog.Logger
	enlistments database.Enlistments
	kv          *database.KV
	records     records.Records // set by Init
	// leaving are the accounts whose users leave and that a goroutine looks after.
	leaving sync.Map // of database.AccountID to bool
	starter *starter
	// enlisting is held while an enlistment of a user with a gatekeeper is made or ended.
	enlisting *exsync.KeyedMutex[enlistmentKey]
	adminPost *adminroom.Post // set by Init, as adminRoom is
	adminRoom *adminroom.Room
	limits    *limits.Limits
	audit     *audit.Log
	outages   outages
	suspended suspended
	// suspending is held while suspensions are followed.
	suspending sync.Mutex
	// ghosts is held while a contact's profile is changed: several users may chat with one contact.
	ghosts   *exsync.KeyedMutex[networkid.UserID]
	profiles profiles
	pictures *outbound.Pictures
	// chats is held while what comes from a contact passes the gate, and while what was kept goes into the room. Never with
	// a lock of bridgev2's.
	chats *exsync.KeyedMutex[networkid.PortalKey]
	// names are the contacts' names that are set already, made safe, as far as they wrote in this run.
	names     sync.Map // of networkid.UserID to string
	refreshes *refreshes
	// capabilities is the same for all chats.
	capabilities *event.RoomFeatures
	transfers    transfers
	// retries is held while a file is fetched again.
	retries *exsync.KeyedMutex[networkid.MessageID]
	expiry  *expiry
	calls   calls
	// started is closed when the logins that have to be loaded are.
	started chan struct{}

	// life ends the goroutines that finish what an earlier run began.
	life     context.Context
	endLife  context.CancelFunc
	spawning sync.Mutex
	workers  sync.WaitGroup
}

type enlistmentKey struct {
	gatekeeper string
	user       id.UserID
}

var (
	_ bridgev2.StoppableNetwork               = (*Network)(nil)
	_ bridgev2.IdentifierValidatingNetwork    = (*Network)(nil)
	_ bridgev2.PortalBridgeInfoFillingNetwork = (*Network)(nil)
)

// New makes a network. Nothing runs before bridgev2 calls Start.
func New(options Options) *Network {
	n := &Network{
		Options:      options,
		enlistments:  options.Database.Enlistments(),
		kv:           options.Database.KV(),
		audit:        audit.New(options.Database, options.Clock.Now),
		enlisting:    exsync.NewKeyedMutex[enlistmentKey](),
		ghosts:       exsync.NewKeyedMutex[networkid.UserID](),
		chats:        exsync.NewKeyedMutex[networkid.PortalKey](),
		pictures:     outbound.NewPictures(options.HTTPClient),
		capabilities: portal.Capabilities(portal.CapabilityLimits{MaxFile: options.MaxFile, Convert: options.Transcode.CanVoice()}),
		transfers:    make(transfers, options.Transfers),
		retries:      exsync.NewKeyedMutex[networkid.MessageID](),
		expiry:       newExpiry(),
		started:      make(chan struct{}),
	}
	n.life, n.endLife = context.WithCancel(context.Background())
	n.limits = limits.New(options.PerDay, options.Database.Usage(), options.Clock, n.limitReached)
	n.starter = newStarter(options.LoginsAtOnce)
	n.refreshes = newRefreshes(n.Spawn, n.refresh)
	return n
}

// Init implements bridgev2.NetworkConnector.
func (n *Network) Init(bridge *bridgev2.Bridge) {
	n.bridge = bridge
	n.records = records.New(bridge.DB.Database, bridge.ID)
	n.log = bridge.Log
	n.life = n.log.WithContext(n.life)
	n.expiry.init(bridge)
	n.adminPost = &adminroom.Post{Name: n.AdminRoom, Admins: n.Admins, Matrix: n.Matrix, Tell: n.Matrix.SendToUser}
	n.adminRoom = adminroom.New(n.adminPost, n.kv, n.Clock)
}

// Start implements bridgev2.NetworkConnector.
func (n *Network) Start(context.Context) error {
	n.Spawn(n.expiry.run)
	if n.AuditDays > 0 {
		n.Spawn(func(ctx context.Context) { n.audit.Prune(ctx, n.AuditDays) })
	}
	return nil
}

// Begin loads the logins, connects them, and finishes what earlier runs began. It comes after Start, when bridgev2's tables are there, and
// returns before anybody is connected. What belongs to logins runs until they are disconnected, not until ctx ends.
func (n *Network) Begin(ctx context.Context) error {
	if err := n.eraseUnusedContacts(ctx); err != nil {
		return err
	}
	n.adminPost.Check(ctx)
	n.Spawn(n.adminRoom.Run)
	life := context.WithoutCancel(ctx)
	if err := n.startLogins(life); err != nil {
		return fmt.Errorf("failed to start the logins: %w", err)
	}
	n.resume(life)
	n.Spawn(n.watchLeaving)
	n.Spawn(n.watchSuspensions)
	return nil
}

// PrepareStop ends what runs beside the logins. It comes before bridgev2 disconnects them.
func (n *Network) PrepareStop() {
	n.spawning.Lock()
	n.endLife()
	n.spawning.Unlock()
	n.starter.stop()
	n.workers.Wait()
}

// Spawn runs work in a goroutine that PrepareStop waits for. After that nothing is begun any more.
func (n *Network) Spawn(work func(ctx context.Context)) {
	n.spawning.Lock()
	defer n.spawning.Unlock()
	if n.life.Err() == nil {
		n.workers.Go(func() { work(n.life) })
	}
}

// Stop implements bridgev2.StoppableNetwork. The logins are disconnected by now.
func (n *Network) Stop() { n.HTTPClient.CloseIdleConnections() }

// GetName implements bridgev2.NetworkConnector.
func (n *Network) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{
		DisplayName:          "Postern",
		NetworkID:            "postern",
		BeeperBridgeType:     "postern",
		DefaultCommandPrefix: "!postern",
	}
}

// FillPortalBridgeInfo implements bridgev2.PortalBridgeInfoFillingNetwork: clients show the gatekeeper, not us.
func (n *Network) FillPortalBridgeInfo(chat *bridgev2.Portal, content *event.BridgeEventContent) {
	gatekeeper, _, err := portal.ParseLoginID(chat.Receiver)
	if err != nil {
		return
	}
	if entry := n.gatekeeper(gatekeeper); entry != nil {
		content.Protocol.ID = entry.ID
		content.Protocol.DisplayName = entry.Name
	}
}

// PortalMetadata is what is stored with a chat, besides what bridgev2 stores.
type PortalMetadata struct {
	// Complete: the members were invited and the room was marked as direct. If we were killed before that, it is done
	// when the next event comes.
	Complete bool `json:"complete,omitempty"`
}

// GetDBMetaTypes implements bridgev2.NetworkConnector.
func (n *Network) GetDBMetaTypes() mxdatabase.MetaTypes {
	return mxdatabase.MetaTypes{
		Ghost:   puppet.NewMetadata,
		Message: portal.NewMessageMetadata,
		Portal:  func() any { return &PortalMetadata{} },
	}
}

// GetCapabilities implements bridgev2.NetworkConnector.
func (n *Network) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{
		Provisioning: bridgev2.ProvisioningCapabilities{
			ResolveIdentifier: bridgev2.ResolveIdentifierCapabilities{CreateDM: true, LookupPhone: true},
		},
	}
}

// GetConfig implements bridgev2.NetworkConnector. Our config is read before bridgev2 exists.
func (n *Network) GetConfig() (example string, data any, upgrader configupgrade.Upgrader) {
	return "", nil, configupgrade.NoopUpgrader
}

// Versions that bridgev2 compares with those of the last run, to send changed state to all rooms.
const (
	bridgeInfoVersion = 1
)

// GetBridgeInfoVersion implements bridgev2.NetworkConnector. What the rooms announce depends on the config and on the machine's ffmpeg, so the version is a hash of it.
func (n *Network) GetBridgeInfoVersion() (info, capabilities int) {
	return bridgeInfoVersion, int(crc32.ChecksumIEEE([]byte(n.capabilities.ID)))
}

// ValidateUserID implements bridgev2.IdentifierValidatingNetwork. Users of other partners are valid ids, but nobody
// chats with them through a gatekeeper.
func (n *Network) ValidateUserID(user networkid.UserID) bool {
	gatekeeper, jid, err := portal.ParseUserID(user)
	return err == nil && n.gatekeeper(gatekeeper) != nil && isContact(jid)
}

func (n *Network) gatekeeper(id string) *Gatekeeper {
	for _, entry := range n.Gatekeepers {
		if entry.ID == id {
			return entry
		}
	}
	return nil
}
