package connector

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/users"
	"postern/database"
)

// ErrSuperseded is what LeaveOnce returns if there is nothing to do.
var ErrSuperseded = errSuperseded

// Tables are those of bridgev2.
func (n *Network) Tables() *mxdatabase.Database { return n.bridge.DB }

// LeaveOnce is one try to let a user leave who is marked.
func (n *Network) LeaveOnce(ctx context.Context, enlistment *database.Enlistment) error {
	return n.leaveOnce(ctx, enlistment.Account, keyOf(enlistment))
}

// EraseUnusedContacts is done at a start.
func (n *Network) EraseUnusedContacts(ctx context.Context) error {
	return n.eraseUnusedContacts(ctx)
}

// TellInstead has what users are told handed to a function.
func (n *Network) TellInstead(tell func(user id.UserID, text string)) {
	n.TellUser = func(_ context.Context, user id.UserID, text string) error {
		tell(user, text)
		return nil
	}
	n.adminPost.Tell = func(_ context.Context, admin id.UserID, content *event.MessageEventContent) error {
		tell(admin, content.Body)
		return nil
	}
}

// WithdrawEEA and ConfirmEEA are what the command eea does for one gatekeeper.
func (n *Network) WithdrawEEA(ctx context.Context, user *bridgev2.User, gatekeeper string) (string, error) {
	return n.changeEEA(ctx, user, gatekeeper, n.withdrawEEA)
}

func (n *Network) ConfirmEEA(ctx context.Context, user *bridgev2.User, gatekeeper string) (string, error) {
	return n.changeEEA(ctx, user, gatekeeper, n.confirmEEA)
}

func (n *Network) changeEEA(
	ctx context.Context, user *bridgev2.User, gatekeeper string,
	change func(context.Context, *bridgev2.User, *Gatekeeper, *database.Enlistment) (string, error),
) (string, error) {
	enlistment, err := n.enlistments.Find(ctx, gatekeeper, user.MXID.String())
	if err != nil {
		return "", err
	}
	return change(ctx, user, n.gatekeeper(gatekeeper), enlistment)
}

// LoadLogin loads a login from the database.
func (n *Network) LoadLogin(ctx context.Context, login networkid.UserLoginID) error {
	_, err := n.bridge.GetExistingUserLoginByID(ctx, login)
	return err
}

// StillPending is what is not erased yet of a user, or of all for "".
func (n *Network) StillPending(ctx context.Context, user id.UserID) ([]users.Pending, error) {
	return n.dataOf().Pending(ctx, user, func(gatekeeper string) bool { return n.gatekeeper(gatekeeper) != nil })
}

// NoteNextTry is what a try leads to after which something is left.
func (n *Network) NoteNextTry(ctx context.Context, account database.AccountID, at time.Time) error {
	return users.NoteNextTry(ctx, n.kv, account, at)
}

// HasNextTry tells whether it is stored when the next try is.
func (n *Network) HasNextTry(ctx context.Context, account database.AccountID) (bool, error) {
	value, err := n.kv.Get(ctx, fmt.Sprintf("erase.next.%d", account)) // as users.NoteNextTry stores it
	return value != nil, err
}
