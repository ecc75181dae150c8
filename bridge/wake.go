package bridge

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

// wake connects a user for whom something waits at the gatekeeper, if that user is enlisted and not connected. The user comes
// from a push and need not exist. It costs a query and does not wait for the connection.
func (n *Network) wake(ctx context.Context, gatekeeper, user string) {
	if n.life.Err() != nil || n.asleep(ctx, gatekeeper, user) == nil {
		return // the database may be closed by now, or there is nobody
	}
	// Whoever leaves holds the lock, maybe for long, and must not be connected again after that.
	n.spawn(func(ctx context.Context) {
		defer n.enlisting.WithLock(enlistmentKey{gatekeeper, id.UserID(user)})()
		if client := n.asleep(ctx, gatekeeper, user); client != nil {
			client.Start()
		}
	})
}

// asleep returns the user's client if it should be connected and is not, otherwise nil.
func (n *Network) asleep(ctx context.Context, gatekeeper, user string) *interop.Client {
	enlistment, err := n.enlistments.Find(ctx, gatekeeper, user)
	if errors.Is(err, database.ErrNoEnlistment) {
		return nil
	} else if err != nil {
		n.log.Err(err).Str("gatekeeper", gatekeeper).Msg("Failed to look for a user to wake")
		return nil
	}
	if enlistment.State != database.Enlisted {
		return nil
	}
	login := n.bridge.GetCachedUserLoginByID(loginID(enlistment))
	if login == nil {
		return nil // not loaded yet, and then it connects by itself
	}
	client, ok := login.Client.(*Client)
	if !ok || !client.serves(enlistment.Account) || client.interop.IsConnected() {
		return nil
	}
	return client.interop
}
