package connector

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/database"
)

// Wake connects a user for whom something waits at the gatekeeper, if that user is enlisted and not connected. The user comes
// from a push and need not exist. It costs a query and does not wait for the connection.
func (n *Network) Wake(ctx context.Context, gatekeeper, user string) {
	if n.life.Err() != nil || n.asleep(ctx, gatekeeper, user) == nil {
		return // the database may be closed by now, or there is nobody
	}
	// Whoever leaves holds the lock, maybe for long, and must not be connected again after that.
	n.Spawn(func(ctx context.Context) {
		defer n.enlisting.WithLock(enlistmentKey{gatekeeper, id.UserID(user)})()
		if enlistment := n.asleep(ctx, gatekeeper, user); enlistment != nil {
			n.awaken(ctx, enlistment)
		}
	})
}

// asleep returns the user's enlistment if a push is of any use to it, otherwise nil. To one that is on demand it always is: who
// is connected was perhaps about to go.
func (n *Network) asleep(ctx context.Context, gatekeeper, user string) *database.Enlistment {
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
	if n.isOnDemand(gatekeeper) {
		return enlistment
	}
	client := n.loaded(standingOf(enlistment)) // nil if it is not loaded yet, and then it connects by itself
	if client == nil || client.interop.IsConnected() {
		return nil
	}
	return enlistment
}

// awaken connects whom asleep returned, or ends their pause before the next try: a gatekeeper that pushes is there again.
func (n *Network) awaken(ctx context.Context, enlistment *database.Enlistment) {
	if !n.isOnDemand(enlistment.Gatekeeper) {
		if client := n.loaded(standingOf(enlistment)); client != nil { // it may have ended meanwhile
			client.interop.Start()
			client.interop.Wake()
		}
		return
	}
	select {
	case <-n.started: // bridgev2's tables are there
		n.rouse(ctx, standingOf(enlistment))
	case <-ctx.Done():
	}
}

func standingOf(enlistment *database.Enlistment) database.Standing {
	return database.Standing{
		Account: enlistment.Account, Gatekeeper: enlistment.Gatekeeper, UserID: enlistment.UserID, Login: enlistment.Login,
		State: enlistment.State, Connected: enlistment.Connected,
	}
}

// loaded returns the client of a login that is loaded, otherwise nil.
func (n *Network) loaded(standing database.Standing) *Client {
	if login := n.bridge.GetCachedUserLoginByID(networkid.UserLoginID(standing.Login)); login != nil {
		if client, ok := login.Client.(*Client); ok && client.serves(standing.Account) {
			return client
		}
	}
	return nil
}

// rouse loads the login of an on-demand gatekeeper and connects it now, or as soon as it has left.
func (n *Network) rouse(ctx context.Context, standing database.Standing) {
	// With the user come all of their logins. bridgev2 would load a login twice that is asked for by its own id.
	if _, err := n.bridge.GetExistingUserByMXID(ctx, id.UserID(standing.UserID)); err != nil {
		n.log.Err(err).Str("login_id", standing.Login).Msg("Failed to load a user who is needed")
		return
	}
	if client := n.loaded(standing); client != nil {
		client.need()
		client.interop.Wake()
	}
}
