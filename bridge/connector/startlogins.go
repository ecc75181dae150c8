package connector

import (
	"context"
	"fmt"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"

	"postern/database"
)

// startLogins loads the logins and connects them. Those of on-demand gatekeepers that nobody needs now are not even loaded:
// bridgev2 does that when their user writes something, rouse when the gatekeeper has something.
func (n *Network) startLogins(ctx context.Context) error {
	if !n.anyOnDemand() {
		close(n.started)
		return n.bridge.StartLogins(ctx)
	}
	quiet := n.quietUsers(ctx)
	if n.roomsChange(ctx) {
		quiet = nil // bridgev2 tells only the rooms whose logins are loaded
	}
	users, err := n.bridge.DB.UserLogin.GetAllUserIDsWithLogins(ctx)
	if err != nil {
		return fmt.Errorf("failed to look for users with logins: %w", err)
	}
	for _, userID := range users {
		if quiet[userID.String()] {
			continue
		}
		user, err := n.bridge.GetExistingUserByMXID(ctx, userID)
		if err != nil || user == nil {
			n.log.Err(err).Stringer("user_id", userID).Msg("Failed to load a user")
			continue
		}
		for _, login := range user.GetUserLogins() {
			login.Client.Connect(login.Log.WithContext(ctx))
		}
	}
	close(n.started)
	n.Spawn(n.keepAlive)
	return nil
}

func (n *Network) anyOnDemand() bool {
	for _, entry := range n.Gatekeepers {
		if entry.Idle > 0 {
			return true
		}
	}
	return false
}

// quietUsers returns those whose logins are all fine without being loaded.
func (n *Network) quietUsers(ctx context.Context) map[string]bool {
	standings, err := n.enlistments.Standings(ctx)
	if err != nil {
		n.log.Err(err).Msg("Failed to look for users who need not be loaded, loading all")
		return nil
	}
	quiet := make(map[string]bool, len(standings))
	for _, standing := range standings {
		fine := standing.State == database.Enlisted && n.isOnDemand(standing.Gatekeeper) && !standing.Waiting && !standing.Connected.IsZero()
		before, known := quiet[standing.UserID]
		quiet[standing.UserID] = fine && (before || !known)
	}
	return quiet
}

// roomsChange tells whether bridgev2 is going to send changed state to all rooms, since the program or the config changed.
func (n *Network) roomsChange(ctx context.Context) bool {
	info, capabilities := n.GetBridgeInfoVersion()
	return n.bridge.DB.KV.Get(ctx, mxdatabase.KeyBridgeInfoVersion) != fmt.Sprintf("%d,%d", info, capabilities)
}
