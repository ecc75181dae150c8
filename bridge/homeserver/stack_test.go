package homeserver_test

import (
	"context"
	"crypto/sha256"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/configupgrade"
	"go.mau.fi/util/dbutil"
	_ "go.mau.fi/util/dbutil/litestream"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

func init() { bridgev2.PortalEventBuffer = 0 }

const (
	alice  = id.UserID("@alice:example.org")
	room   = id.RoomID("!chat:example.org")
	login  = networkid.UserLoginID("login")
	asTok  = "as-token"
	hsTok  = "hs-token"
	listen = "127.0.0.1:0"

	provisioningSecret = "sixteen-bytes-at-least"
)

// memoryKV is a homeserver.KV.
type memoryKV struct {
	lock   sync.Mutex
	values map[string][]byte
}

func (kv *memoryKV) Get(_ context.Context, name string) ([]byte, error) {
	kv.lock.Lock()
	defer kv.lock.Unlock()
	return kv.values[name], nil
}

func (kv *memoryKV) Set(_ context.Context, name string, value []byte) error {
	kv.lock.Lock()
	defer kv.lock.Unlock()
	kv.values[name] = value
	return nil
}

func (kv *memoryKV) Delete(_ context.Context, name string) error {
	kv.lock.Lock()
	defer kv.lock.Unlock()
	delete(kv.values, name)
	return nil
}

// network is a bridgev2 network with one login, whose handlers tests can hold up.
type network struct {
	bridge   *bridgev2.Bridge
	messages chan string // texts that were handled
	hold     chan struct{}
	signals  chan string // what else was handled
	// holdSignals takes one value when a signal's handler begins, and one to let it end.
	holdSignals chan struct{}
}

func (n *network) Init(bridge *bridgev2.Bridge)       { n.bridge = bridge }
func (n *network) Start(context.Context) error        { return nil }
func (n *network) GetName() bridgev2.BridgeName       { return bridgev2.BridgeName{DisplayName: "Test"} }
func (n *network) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (n *network) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (n *network) GetConfig() (string, any, configupgrade.Upgrader) { return "", nil, nil }
func (n *network) GetLoginFlows() []bridgev2.LoginFlow              { return nil }
func (n *network) GetBridgeInfoVersion() (int, int)                 { return 1, 1 }
func (n *network) CreateLogin(context.Context, *bridgev2.User, string) (bridgev2.LoginProcess, error) {
	return nil, bridgev2.ErrNotLoggedIn
}
func (n *network) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	login.Client = client{n}
	return nil
}

type client struct{ network *network }

func (client) Connect(context.Context)                           {}
func (client) Disconnect()                                       {}
func (client) IsLoggedIn() bool                                  { return true }
func (client) LogoutRemote(context.Context)                      {}
func (client) IsThisUser(context.Context, networkid.UserID) bool { return false }
func (client) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "test", TypingNotifications: true, Delete: event.CapLevelFullySupported}
}
func (client) GetUserInfo(context.Context, *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return nil, nil
}
func (client) GetChatInfo(context.Context, *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	return nil, nil
}
func (c client) HandleMatrixMessage(_ context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	if c.network.hold != nil {
		<-c.network.hold
	}
	c.network.messages <- msg.Content.Body
	return &bridgev2.MatrixMessageResponse{DB: &database.Message{ID: networkid.MessageID(msg.Event.ID), SenderID: "me"}}, nil
}

func (c client) signal(name string) error {
	if c.network.holdSignals != nil {
		<-c.network.holdSignals
		<-c.network.holdSignals
	}
	c.network.signals <- name
	return nil
}

func (c client) HandleMatrixTyping(context.Context, *bridgev2.MatrixTyping) error {
	return c.signal("typing")
}

func (c client) HandleMatrixMessageRemove(context.Context, *bridgev2.MatrixMessageRemove) error {
	return c.signal("redaction")
}

// stack is a connector with a fake homeserver on one side and a test network on the other.
type stack struct {
	fake      *fakeHomeserver
	kv        *memoryKV
	roomKeys  memoryRoomKeys
	warnings  chan string // to the admins
	network   *network
	connector *homeserver.Connector
	bridge    *bridgev2.Bridge
	address   string
	portal    *bridgev2.Portal
	db        *dbutil.Database
	queries   *statementCounter
	path      string // of the database
	secrets   func(purpose string) [32]byte
	explain   func(err error) string
	// impatient is for a homeserver that pushes late: the bridge does not wait for its probe, and sends the next ones soon, if that is set.
	impatient time.Duration
}

// newStack starts everything, with one chat whose room is encrypted.
func newStack(t testing.TB) *stack {
	t.Helper()
	s := &stack{fake: newFakeHomeserver(t), explain: func(error) string { return "" }, kv: &memoryKV{values: make(map[string][]byte)}, warnings: make(chan string, 10)}
	s.path = filepath.Join(t.TempDir(), "test.db")
	s.db = openDatabase(t, s.path)
	s.queries = &statementCounter{DatabaseLogger: dbutil.NoopLogger}
	s.db.Log = s.queries // before anything runs
	s.start(t, "secret")
	return s
}

func openDatabase(t testing.TB, path string) *dbutil.Database {
	t.Helper()
	db, err := dbutil.NewFromConfig("", dbutil.Config{PoolConfig: dbutil.PoolConfig{
		Type: "sqlite3-fk-wal", URI: "file:" + path + "?_txlock=immediate", MaxOpenConns: 1,
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func (s *stack) start(t testing.TB, secret string) {
	t.Helper()
	if err := s.tryStart(t, secret); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.bridge.Stop() })
	s.prepareChat(t)
}

func (s *stack) tryStart(t testing.TB, secret string) error {
	t.Helper()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	listener.Close()
	cfg := &bridgeconfig.Config{
		Homeserver: bridgeconfig.HomeserverConfig{Address: s.fake.server.URL, Domain: domain},
		AppService: bridgeconfig.AppserviceConfig{
			NoServer: true, ID: "postern", Bot: bridgeconfig.BotUserConfig{Username: "postern", Displayname: "Postern"},
			ASToken: asTok, HSToken: hsTok, UsernameTemplate: "postern_{{.}}",
		},
		Bridge: bridgeconfig.BridgeConfig{
			CommandPrefix: "!test", DeduplicateMatrixMessages: true, SplitPortals: true,
			Permissions: bridgeconfig.PermissionConfig{"*": &bridgeconfig.PermissionLevelUser},
		},
		Matrix:       bridgeconfig.MatrixConfig{MessageStatusEvents: true, DeliveryReceipts: true, MessageErrorNotices: true},
		Encryption:   bridgeconfig.EncryptionConfig{Allow: true, Default: true, Require: true},
		Provisioning: bridgeconfig.ProvisioningConfig{SharedSecret: provisioningSecret, AllowMatrixAuth: true},
	}
	s.secrets = func(purpose string) [32]byte { return sha256.Sum256([]byte(secret + purpose)) }
	log := zerolog.Nop()
	if _, fuzzing := t.(*testing.F); !fuzzing { // which may not log while it fuzzes
		log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	}
	s.connector = homeserver.New(homeserver.Options{
		Config:           cfg,
		Log:              log,
		EncryptionLog:    log,
		Secrets:          s.secrets,
		KV:               s.kv,
		RoomKeys:         &s.roomKeys,
		WarnAdmins:       func(text string) { s.warnings <- text },
		Listen:           s.address,
		MaxTransaction:   1 << 20,
		UnencryptedReply: "please encrypt",
		ForeignReply:     "only for users of example.org",
		Explain:          func(err error, _ event.Type, _ id.UserID) string { return s.explain(err) },
	})
	s.connector.SetIntroduction(0) // nobody here has a client that needs it
	if s.impatient > 0 {
		s.connector.SetProbeTimes(time.Nanosecond, s.impatient)
	}
	s.connector.SetMissingKeyPauses(time.Millisecond, time.Millisecond)
	s.network = &network{messages: make(chan string, 100), signals: make(chan string, 100)}
	s.bridge = bridgev2.NewBridge("", s.db, log, &cfg.Bridge, s.connector, s.network, commands.NewProcessor)
	s.bridge.ExternallyManagedDB = false
	s.connector.Bot.Client.DefaultHTTPRetries = 0 // tests wait for none
	ctx := log.WithContext(context.Background())
	if err = s.bridge.StartConnectors(ctx); err != nil {
		return err
	}
	return s.bridge.StartLogins(ctx)
}

func (s *stack) prepareChat(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	s.fake.setState("/rooms/"+string(room)+"/state/m.room.encryption/", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	var err error
	for _, user := range []id.UserID{botUser, s.connector.FormatGhostMXID("bob")} {
		if err = s.connector.StateStore.SetMembership(ctx, room, user, event.MembershipJoin); err != nil {
			t.Fatal(err)
		}
	}
	user, err := s.bridge.GetUserByMXID(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = user.NewLogin(ctx, &database.UserLogin{ID: login, RemoteName: "test"}, nil); err != nil {
		t.Fatal(err)
	}
	s.portal = s.makePortal(t, "bob", room)
}

// makePortal gives a chat a room, as if an earlier run had done that: bridgev2's own way goes on in the background, where
// it reads what tests change.
func (s *stack) makePortal(t testing.TB, contact networkid.PortalID, in id.RoomID) *bridgev2.Portal {
	t.Helper()
	ctx := context.Background()
	key := networkid.PortalKey{ID: contact, Receiver: login}
	row, err := s.bridge.DB.Portal.GetByKey(ctx, key)
	if err == nil && row == nil {
		err = s.bridge.DB.Portal.Insert(ctx, &database.Portal{PortalKey: key, MXID: in})
	}
	if err != nil {
		t.Fatal(err)
	}
	portal, err := s.bridge.GetPortalByKey(ctx, key)
	if err != nil {
		t.Fatal(err)
	} else if portal.MXID != in {
		t.Fatalf("the chat's room is %s", portal.MXID)
	}
	return portal
}

func (s *stack) push(t testing.TB, transaction, body string) int {
	t.Helper()
	return push(context.Background(), t, s.address, hsTok, transaction, body)
}
