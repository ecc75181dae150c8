package bridge

import (
	"context"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"

	"postern/database"
)

// ErrSuperseded is what LeaveOnce returns if there is nothing to do.
var ErrSuperseded = errSuperseded

// Tables are those of bridgev2.
func (d *Daemon) Tables() *mxdatabase.Database { return d.bridge.DB }

// LeaveOnce is one try to let a user leave who is marked.
func (d *Daemon) LeaveOnce(ctx context.Context, enlistment *database.Enlistment) error {
	return d.network.leaveOnce(ctx, enlistment.Account, keyOf(enlistment))
}

// EraseUnusedContacts is done at a start.
func (d *Daemon) EraseUnusedContacts(ctx context.Context) error { return d.network.eraseUnusedContacts(ctx) }
