package connector

import (
	"context"
	"fmt"
	"time"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

// Bounds of how long a user is left alone.
const (
	DueAfter  = dueAfter
	DueSpread = dueSpread
	DueEvery  = dueEvery
)

// IsDue tells whether an account has to be connected for the gatekeeper's sake at a time.
func IsDue(now time.Time, account database.AccountID, connected time.Time) bool {
	n := &Network{Options: Options{Clock: standing(now)}}
	return n.isDue(account, connected)
}

// standing is a clock that stands.
type standing time.Time

func (s standing) Now() time.Time                                { return time.Time(s) }
func (s standing) AfterFunc(time.Duration, func()) interop.Timer { panic("it stands") }

// StartLogins does what a start does with the logins, when nothing has changed for all rooms.
func (n *Network) StartLogins(ctx context.Context) error {
	info, capabilities := n.GetBridgeInfoVersion()
	n.bridge.DB.KV.Set(ctx, mxdatabase.KeyBridgeInfoVersion, fmt.Sprintf("%d,%d", info, capabilities))
	return n.startLogins(ctx)
}

// WaitArrived returns when every login that is needed is connected.
func (n *Network) WaitArrived() {
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		if arrived := login.Client.(*Client).attendance.Arrived(); arrived != nil {
			<-arrived
		}
	}
}

// IsLoaded tells whether bridgev2 has a user's login in memory.
func (n *Network) IsLoaded(user id.UserID) bool {
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		if login.UserMXID == user {
			return true
		}
	}
	return false
}
