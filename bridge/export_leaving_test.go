package bridge

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

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
func (d *Daemon) EraseUnusedContacts(ctx context.Context) error {
	return d.network.eraseUnusedContacts(ctx)
}

// TellInstead has what users are told handed to a function.
func (d *Daemon) TellInstead(tell func(user id.UserID, text string)) {
	d.network.TellUser = func(_ context.Context, user id.UserID, text string) error {
		tell(user, text)
		return nil
	}
	d.network.adminPost.tell = func(_ context.Context, admin id.UserID, content *event.MessageEventContent) error {
		tell(admin, content.Body)
		return nil
	}
}

// WithdrawEEA and ConfirmEEA are what the command eea does for one gatekeeper.
func (d *Daemon) WithdrawEEA(ctx context.Context, user *bridgev2.User, gatekeeper string) (string, error) {
	return d.changeEEA(ctx, user, gatekeeper, d.network.withdrawEEA)
}

func (d *Daemon) ConfirmEEA(ctx context.Context, user *bridgev2.User, gatekeeper string) (string, error) {
	return d.changeEEA(ctx, user, gatekeeper, d.network.confirmEEA)
}

func (d *Daemon) changeEEA(
	ctx context.Context, user *bridgev2.User, gatekeeper string,
	change func(context.Context, *bridgev2.User, *gatekeeperEntry, *database.Enlistment) (string, error),
) (string, error) {
	enlistment, err := d.network.enlistments.Find(ctx, gatekeeper, user.MXID.String())
	if err != nil {
		return "", err
	}
	return change(ctx, user, d.network.gatekeeper(gatekeeper), enlistment)
}

// LoadLogin loads a login from the database.
func (d *Daemon) LoadLogin(ctx context.Context, login networkid.UserLoginID) error {
	_, err := d.bridge.GetExistingUserLoginByID(ctx, login)
	return err
}

// NoteNextTry is what a try leads to after which something is left.
func (d *Daemon) NoteNextTry(ctx context.Context, account database.AccountID, at time.Time) error {
	return d.network.noteNextTry(ctx, account, at)
}

// HasNextTry tells whether it is stored when the next try is.
func (d *Daemon) HasNextTry(ctx context.Context, account database.AccountID) (bool, error) {
	value, err := d.network.kv.Get(ctx, nextTry(account))
	return value != nil, err
}
