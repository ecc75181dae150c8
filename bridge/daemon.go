package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/adminpage"
	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/homeserver"
	"postern/bridge/metrics"
	"postern/bridge/outbound"
	"postern/bridge/preview"
	"postern/bridge/troubles"
	"postern/database"
	"postern/interop"
	"postern/provider"
)

// The partner server, in the same process today, issues the interop clients' tokens.
var _ interop.TokenSource = (*provider.Provider)(nil)

// doublePuppetMark is put into events that the bridge sends in a user's name, so that it knows them when they return.
const doublePuppetMark = "postern"

// interruptAfter is when a stop no longer waits for the homeserver. With [connector.DisconnectTimeout] and what stops before and after them the
// daemon is down within ten seconds.
const interruptAfter = 4 * time.Second

// Daemon is everything that `postern run` runs.
type Daemon struct {
	cfg      *config.Config
	log      zerolog.Logger // of the component "bridge"
	root     zerolog.Logger // the others are made of
	version  string
	clock    interop.Clock
	raw      *dbutil.Database
	lock     *database.Held // of the database
	provider *provider.Provider
	matrix   *homeserver.Connector
	network  *connector.Network
	bridge   *bridgev2.Bridge
	metrics  *metrics.Metrics
	ready    *readiness
	page     *adminpage.Page // nil without an admin listener
	history  *metrics.History
	started  time.Time

	// Recent is shown on the admin page, nil shows nothing. ConfigFile is what the config was read from, "" if from no file, for those who
	// examine the installation there. Set both before Run.
	Recent     *troubles.Recent
	ConfigFile string
}

// New opens the database and puts the parts together. Nothing runs and nothing is sent before Run. version is for metrics and the
// admin page.
func New(ctx context.Context, cfg *config.Config, version string, log zerolog.Logger) (*Daemon, error) {
	return newDaemon(ctx, cfg, version, log, interop.SystemClock())
}

// newDaemon is New with a clock that tests can move. Tokens and enlistments go by it.
func newDaemon(ctx context.Context, cfg *config.Config, version string, log zerolog.Logger, clock interop.Clock) (*Daemon, error) {
	ofBridge := logOf(log, cfg.Logging, config.ComponentBridge)
	ofBridge.Info().Str("version", version).Msg("Postern starts")
	databaseLog := logOf(log, cfg.Logging, config.ComponentDatabase)
	raw, err := database.Open(ctx, string(cfg.Database.Type), cfg.Database.URI, databaseLog)
	if err != nil {
		return nil, err
	}
	d := &Daemon{cfg: cfg, log: ofBridge, root: log, clock: clock, raw: raw, version: version, started: time.Now()}
	state := func(ctx context.Context) (*metrics.State, error) { return d.network.State(ctx) } // d.network is made below
	d.metrics = newMetrics(cfg, version, raw, state)
	raw.Log = newMeteredQueries(databaseLog.With().Str("db_section", "main").Logger(), d.metrics)
	if d.lock, err = database.Lock(ctx, raw, cfg.Database.URI); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	if err = d.build(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *Daemon) logOf(component string) zerolog.Logger {
	return logOf(d.root, d.cfg.Logging, component)
}

// close gives the database back.
func (d *Daemon) close() error { return errors.Join(d.raw.Close(), d.lock.Release()) }

func (d *Daemon) build(ctx context.Context) error {
	key, err := loadSecretKey(ctx, d.cfg, d.raw, true)
	if err != nil {
		return err
	}
	db := database.New(d.raw, key, d.logOf(config.ComponentDatabase).With().Str("db_section", "postern").Logger())
	how := database.Upgrading{Program: d.version, URI: d.cfg.Database.URI, Log: d.logOf(config.ComponentDatabase)}
	if err = db.UpgradeAll(ctx, how); err != nil {
		return err
	}
	restored, err := checkOrigin(ctx, db)
	if err != nil {
		return err
	}
	entries, err := interopGatekeepers(d.cfg)
	if err != nil {
		return err
	}
	wake := func(ctx context.Context, gatekeeper, user string) {
		d.metrics.Wake(gatekeeper)
		d.network.Wake(ctx, gatekeeper, user) // d.network is made below
	}
	if d.provider, err = newProvider(ctx, d.cfg, key, entries, db, wake, d.clock.Now, d.metrics.PartnerRequest, d.logOf(config.ComponentPartnerServer)); err != nil {
		return err
	}
	d.matrix = homeserver.New(homeserver.Options{ // d.network is made below
		Config:           mautrixConfig(d.cfg),
		Log:              d.logOf(config.ComponentHomeserver),
		EncryptionLog:    d.logOf(config.ComponentEncryption),
		Secrets:          key.Derive,
		KV:               db.KV(),
		RoomKeys:         roomKeys{db.RoomKeys()},
		Listen:           d.cfg.Appservice.Listen,
		MaxTransaction:   int64(d.cfg.Limits.TransactionMiB) << 20,
		UnencryptedReply: connector.TextUnencryptedCommand,
		Explain: func(err error, about event.Type, sender id.UserID) string {
			return d.network.Explain(err, about, sender)
		},
		ForeignReply: connector.TextForeignUser(d.cfg.Homeserver.Domain),
		Provision: func(router *http.ServeMux, userOf func(*http.Request) *bridgev2.User) {
			d.network.AddProvisioning(router, userOf)
		},
		Observe:    d.metrics.HomeserverRequest,
		WarnAdmins: func(text string) { d.network.TellAdmins("homeserver.puppets", text) },
	})
	d.network = connector.New(connector.Options{
		Domain:       d.cfg.Homeserver.Domain,
		Gatekeepers:  entries,
		Database:     db,
		Tokens:       d.provider,
		Matrix:       d.matrix,
		LoginsAtOnce: d.cfg.Limits.LoginsAtOnce,
		HTTPClient:   outbound.NewClient(),
		Clock:        d.clock,
		Metrics:      d.metrics,
		InteropLog:   d.logOf(config.ComponentInterop),

		Restored:      restored,
		OnLeave:       connector.OnLeave(d.cfg.OnLeave),
		Admins:        d.cfg.Admins,
		AdminRoom:     d.cfg.AdminRoom,
		AuditDays:     d.cfg.AuditDays,
		PublicURL:     d.cfg.Public.URL,
		PerDay:        perDay(d.cfg.Limits),
		TellUser:      d.matrix.TellUser,
		CommandPrefix: d.cfg.CommandPrefix,
		MaxFile:       int64(d.cfg.Limits.FileMiB) << 20,
		Transfers:     d.cfg.Limits.Transfers,
		Media:         d.provider,
		MediaEraser:   d.provider,
		Previews:      preview.New(previewsAtOnce),
		Transcode:     probeTranscoder(ctx, d.cfg.FFmpeg, d.log),
	})
	if err = d.network.LoadSuspensions(ctx); err != nil {
		return err
	}
	d.bridge = bridgev2.NewBridge("", d.raw, d.log, &d.matrix.Config.Bridge, d.matrix, d.network, commands.NewProcessor)
	d.matrix.AS.DoublePuppetValue = doublePuppetMark
	processor := d.bridge.Commands.(*commands.Processor)
	d.network.AddCommands(processor)
	processor.AddHandlers(d.pageCommand())
	d.bridge.Commands = connector.NewCommandQueue(processor)
	d.ready = newReadiness(d.cfg.Homeserver.Address, d.raw, d.network)
	d.history = metrics.NewHistory(d.metrics, time.Now())
	d.page = d.newAdminPage()
	return nil
}

// Run starts everything, runs until ctx ends, and stops everything, which takes at most ten seconds. It returns nil
// after a stop by ctx.
func (d *Daemon) Run(ctx context.Context) error {
	listener, err := net.Listen("tcp", d.cfg.Public.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("failed to listen for gatekeepers: %w", err), d.close())
	}
	adminListener, err := d.listenForAdmin()
	if err != nil {
		return errors.Join(err, listener.Close(), d.close())
	}
	// The partner server outlives the clients: what they do at a stop may make a gatekeeper ask for keys.
	publicCtx, stopPublic := context.WithCancel(context.WithoutCancel(ctx))
	var public sync.WaitGroup
	runCtx, fail := context.WithCancelCause(ctx)
	public.Go(func() {
		if err := d.provider.Serve(publicCtx, listener); err != nil {
			fail(err)
		}
	})
	public.Go(func() {
		if err := d.lock.Keep(d.log.WithContext(publicCtx)); err != nil {
			fail(err)
		}
	})
	if adminListener != nil {
		public.Go(func() { d.history.Run(publicCtx) })
		public.Go(func() {
			if err := d.adminServer().Serve(publicCtx, adminListener); err != nil {
				fail(err)
			}
		})
	}
	err = d.start(runCtx)
	if err == nil {
		d.ready.enter(running)
		d.log.Info().Msg("Postern is running")
		<-runCtx.Done()
	}
	if cause := context.Cause(runCtx); err == nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	d.log.Info().Msg("Postern is stopping")
	d.ready.enter(stopping)
	d.stop()
	stopPublic()
	public.Wait()
	d.log.Info().Msg("Postern has stopped")
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped during the start
	}
	return err
}

func (d *Daemon) start(ctx context.Context) error {
	ctx = d.log.WithContext(ctx)
	if err := d.bridge.StartConnectors(ctx); err != nil {
		return err
	}
	if err := d.network.Begin(ctx); err != nil {
		return err
	}
	d.bridge.PostStart(context.WithoutCancel(ctx))
	return nil
}

// stop ends everything in the order in which messages come: no new transactions, then the chat channels, then what
// still has to be told to the homeserver, then the database.
func (d *Daemon) stop() {
	interrupt := time.AfterFunc(interruptAfter, d.matrix.Interrupt)
	defer interrupt.Stop()
	d.network.PrepareStop()
	d.bridge.StopWithTimeout(connector.DisconnectTimeout) // closes the database too
	if err := d.lock.Release(); err != nil {
		d.log.Err(err).Msg("Failed to unlock the database")
	}
}
