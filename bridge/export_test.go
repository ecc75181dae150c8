package bridge

import (
	"context"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/interop"
)

// MautrixConfig is mautrixConfig.
var MautrixConfig = mautrixConfig

// NewWithClock is New with a clock that can be moved.
func NewWithClock(ctx context.Context, cfg *config.Config, log zerolog.Logger, clock interop.Clock) (*Daemon, error) {
	return newDaemon(ctx, cfg, "test", log, clock)
}

// Open makes the tables of bridgev2, which a start would do, and returns the user of an id.
func (d *Daemon) Open(ctx context.Context, user id.UserID) (*bridgev2.User, error) {
	d.bridge.BackgroundCtx = ctx
	if err := d.bridge.DB.Upgrade(ctx); err != nil {
		return nil, err
	}
	if err := d.matrix.StateStore.Upgrade(ctx); err != nil {
		return nil, err
	}
	return d.bridge.GetUserByMXID(ctx, user)
}

// Close ends what Open began.
func (d *Daemon) Close() error {
	d.network.PrepareStop()
	for _, login := range d.bridge.GetAllCachedUserLogins() {
		login.Client.Disconnect()
	}
	d.matrix.Stop()
	return d.close()
}

// Network returns what all logins share.
func (d *Daemon) Network() *connector.Network { return d.network }

// Tables are those of bridgev2.
func (d *Daemon) Tables() *mxdatabase.Database { return d.bridge.DB }

// Client returns the client of a login, nil if it is not loaded.
func (d *Daemon) Client(login networkid.UserLoginID) bridgev2.NetworkAPI {
	if found := d.bridge.GetCachedUserLoginByID(login); found != nil {
		return found.Client
	}
	return nil
}
