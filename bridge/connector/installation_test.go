package connector_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/enlisttest"
	"postern/bridge/homeserver"
	"postern/bridge/limits"
	"postern/bridge/outbound"
	"postern/bridge/preview"
	"postern/database"
	"postern/interop"
	"postern/interop/wire"
	"postern/provider"
)

const (
	alice  = id.UserID("@alice:example.org")
	wa     = "wa"
	login  = networkid.UserLoginID("wa-77-1001")
	secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
)

// installation is a connector with all that it stands on, which has never run, and its files.
type installation struct {
	t       *testing.T
	cfg     *config.Config
	server  *enlisttest.Server
	clock   interop.Clock
	raw     *dbutil.Database
	partner *provider.Provider
	network *connector.Network
	// restored is of which copy the database was made, if a test says so before a restart.
	restored connector.Origin
	user     *bridgev2.User
}

// install makes one with an SQLite database, unless change wants something else.
func install(t *testing.T, change ...func(*config.Config)) *installation {
	t.Helper()
	i := &installation{t: t, server: enlisttest.New(t), clock: interop.SystemClock()}
	i.cfg = &config.Config{
		Homeserver: config.Homeserver{Address: i.server.URL, Domain: "example.org"}, // which refuses everything
		Appservice: config.Appservice{ID: "postern", BotUsername: "postern", UsernameTemplate: "postern_{{.}}"},
		Database:   config.Database{Type: config.SQLite, URI: filepath.Join(t.TempDir(), "postern.db")},
		Public:     config.Public{URL: "https://bridge.example.org", MediaDir: filepath.Join(t.TempDir(), "media")},
		Admins:     []string{"@admin:example.org", "@root:other.org"},
	}
	i.cfg.Gatekeepers = []config.Gatekeeper{i.server.Gatekeeper(wa)}
	for _, apply := range change {
		apply(i.cfg)
	}
	i.open()
	t.Cleanup(i.close)
	return i
}

// open puts the parts together, as the daemon does.
func (i *installation) open() {
	i.t.Helper()
	i.network = nil
	if err := i.build(context.Background()); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installation) build(ctx context.Context) (err error) {
	if i.raw, err = database.Open(ctx, string(i.cfg.Database.Type), i.cfg.Database.URI, zerolog.Nop()); err != nil {
		return err
	}
	key, err := database.LoadSecretKey(ctx, i.raw, database.SecretKeySource{Value: secret, Create: true})
	if err != nil {
		return err
	}
	db := database.New(i.raw, key, zerolog.Nop())
	if err = db.UpgradeAll(ctx, database.Upgrading{Log: zerolog.Nop()}); err != nil {
		return err
	}
	gatekeeper := i.cfg.Gatekeepers[0]
	entry, err := gatekeeper.Interop()
	if err != nil {
		return err
	}
	if i.partner, err = i.newPartner(ctx, db, gatekeeper, entry.Integrator); err != nil {
		return err
	}
	matrix := homeserver.New(homeserver.Options{Config: i.matrixConfig(), Log: zerolog.Nop(), EncryptionLog: zerolog.Nop(), Secrets: key.Derive, KV: db.KV()})
	i.network = connector.New(connector.Options{
		Domain: i.cfg.Homeserver.Domain,
		Gatekeepers: []*connector.Gatekeeper{{
			Gatekeeper: entry, EEADeclaration: gatekeeper.EEADeclaration, EEASuspend: gatekeeper.EEAWithdrawn == config.EEASuspend, Idle: gatekeeper.Idle(),
		}},
		Database:     db,
		Tokens:       i.partner,
		Matrix:       matrix,
		LoginsAtOnce: 4,
		HTTPClient:   outbound.NewClient(),
		Clock:        i.clock,
		InteropLog:   zerolog.Nop(),
		Restored:     i.restored,
		Admins:       i.cfg.Admins,
		PublicURL:    i.cfg.Public.URL,
		PerDay: map[limits.Kind]int64{
			limits.Messages: int64(i.cfg.Limits.MessagesPerDay), limits.Files: int64(i.cfg.Limits.FilesPerDay),
		},
		TellUser:    matrix.TellUser,
		MaxFile:     1 << 20,
		Media:       i.partner,
		MediaEraser: i.partner,
		Previews:    preview.New(1),
	})
	if err = i.network.LoadSuspensions(ctx); err != nil {
		return err
	}
	bridgev2.NewBridge("", i.raw, zerolog.Nop(), &matrix.Config.Bridge, matrix, i.network, commands.NewProcessor)
	i.user, err = i.network.Open(ctx, alice)
	return err
}

// newPartner makes the partner server, whose pushes go to the connector.
func (i *installation) newPartner(ctx context.Context, db *database.Database, gatekeeper config.Gatekeeper, integrator uint16) (*provider.Provider, error) {
	media, err := provider.NewDirStore(i.cfg.Public.MediaDir)
	if err != nil {
		return nil, err
	}
	options := provider.Options{
		Issuer:         i.cfg.Public.URL,
		Domain:         i.cfg.Homeserver.Domain,
		Audiences:      []provider.Audience{{Name: gatekeeper.Audience, Integrator: integrator}},
		Keys:           db.ProviderKeys(),
		Wake:           func(ctx context.Context, gatekeeper, user string) { i.network.Wake(ctx, gatekeeper, user) },
		Now:            i.clock.Now,
		Media:          media,
		MediaKey:       [provider.MediaKeySize]byte{1},
		MaxMedia:       1 << 20,
		MediaRetention: time.Hour,
		Log:            zerolog.Nop(),
	}
	if gatekeeper.PushIssuer != "" {
		options.Pushers = []provider.Pusher{{Gatekeeper: gatekeeper.ID, Issuer: gatekeeper.PushIssuer, KeysURL: gatekeeper.PushKeysURL}}
	}
	return provider.New(ctx, options)
}

// matrixConfig is what the connector and its tests need of bridgev2's config.
func (i *installation) matrixConfig() *bridgeconfig.Config {
	users := bridgeconfig.PermissionLevelUser
	return &bridgeconfig.Config{
		Homeserver: bridgeconfig.HomeserverConfig{Address: i.cfg.Homeserver.Address, Domain: i.cfg.Homeserver.Domain},
		AppService: bridgeconfig.AppserviceConfig{
			ID: i.cfg.Appservice.ID, Bot: bridgeconfig.BotUserConfig{Username: i.cfg.Appservice.BotUsername},
			UsernameTemplate: i.cfg.Appservice.UsernameTemplate, NoServer: true,
		},
		Bridge:     bridgeconfig.BridgeConfig{SplitPortals: true, Permissions: bridgeconfig.PermissionConfig{i.cfg.Homeserver.Domain: &users}},
		Encryption: bridgeconfig.EncryptionConfig{Allow: true, Default: true, Require: true},
	}
}

func (i *installation) close() {
	if i.network != nil {
		i.network.Close()
	}
	if err := i.raw.Close(); err != nil {
		i.t.Error(err)
	}
}

// restart is what a kill and a new start are, as far as memory goes.
func (i *installation) restart() {
	i.t.Helper()
	i.close()
	i.open()
}

// answer goes through a login and gives answers to its questions.
func (i *installation) answer(texts ...string) (*bridgev2.LoginStep, error) {
	ctx := context.Background()
	process, err := i.network.CreateLogin(ctx, i.user, wa)
	if err != nil {
		return nil, err
	}
	step, err := process.Start(ctx)
	if err != nil {
		return nil, err
	}
	for _, word := range []string{string(alice), "Some Messenger", "example.org", "decrypts"} {
		if !strings.Contains(step.Instructions, word) {
			i.t.Errorf("the question does not say %q", word)
		}
	}
	for _, text := range texts {
		input := map[string]string{step.UserInputParams.Fields[0].ID: text}
		if step, err = process.(bridgev2.LoginProcessUserInput).SubmitUserInput(ctx, input); err != nil {
			return nil, err
		}
	}
	return step, nil
}

// state returns where alice stands.
func (i *installation) state() database.EnlistmentState {
	i.t.Helper()
	enlistment, err := i.network.AllEnlistments().Find(context.Background(), wa, string(alice))
	if errors.Is(err, database.ErrNoEnlistment) {
		return ""
	} else if err != nil {
		i.t.Fatal(err)
	}
	return enlistment.State
}

// waitForLogin waits until the login is there, which the work of Resume makes.
func (i *installation) waitForLogin() {
	i.t.Helper()
	i.network.WaitForWork()
	if client := i.network.Client(login); client == nil || !client.IsLoggedIn() {
		i.t.Errorf("there is no login: %v", client)
	}
}

func parseJID(t *testing.T, text string) types.JID {
	t.Helper()
	jid, err := wire.ParseJID(text)
	if err != nil {
		t.Fatal(err)
	}
	return jid
}
