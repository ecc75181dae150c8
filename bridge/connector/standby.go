package connector

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"

	"postern/bridge/attendance"
	"postern/database"
)

// How the clients of on-demand gatekeepers use their attendance. Clients of the others have none, and are always connected.

// reachTimeout is how long a command waits for its login to be connected. That takes a fraction of a second.
const reachTimeout = 10 * time.Second

// attend gives the client an attendance if its gatekeeper is on demand. A user who is not connected is as well as one who is, so that is
// what their state says.
func (c *Client) attend(entry *Gatekeeper) {
	if entry.Idle == 0 {
		return
	}
	c.attendance = attendance.New(c.login.Log, entry.Idle, c.network.Clock, (*standby)(c), func() { c.network.starter.add(c.start) })
	if c.enlistment.Connected.IsZero() {
		return // the first connection says whether all is well
	}
	c.network.Spawn(func(context.Context) {
		c.network.bridge.GetCachedUserLoginByID(c.login.ID) // waits until bridgev2 has loaded the login
		c.stating.Lock()
		defer c.stating.Unlock()
		if !c.stated { // else there is news already
			c.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
		}
	})
}

// need connects a client that is on demand; others are connected or try to be.
func (c *Client) need() {
	if c.attendance != nil {
		c.attendance.Need()
	}
}

// use keeps a client that is on demand connected for a while longer.
func (c *Client) use() {
	if c.attendance != nil {
		c.attendance.Use()
	}
}

// reach returns when the client is connected, or that takes too long or has failed: one that is on demand is connected for this, one that
// is always connected may be about to, after a start of the bridge.
func (c *Client) reach(ctx context.Context) {
	var arrived <-chan struct{}
	if c.attendance != nil {
		arrived = c.attendance.Need()
	} else if news := c.settled.Load(); news != nil {
		arrived = *news
	} else {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	select {
	case <-arrived:
	case <-ctx.Done():
	}
}

// connectOnDemand is Connect for a client that has an attendance: it may have nothing to do.
func (c *Client) connectOnDemand() {
	if c.network.isDue(c.enlistment.Account, c.enlistment.Connected) {
		c.need()
		return
	}
	c.network.Spawn(func(ctx context.Context) {
		waiting, err := c.network.Database.AccountStore(c.enlistment.Account).PendingMessages(ctx, 0, 1)
		if err != nil {
			c.login.Log.Err(err).Msg("Failed to look for messages that wait")
		}
		if err != nil || len(waiting) > 0 {
			c.need()
		}
	})
}

// standby is a client as its attendance sees it.
type standby Client

// Start implements channel.
func (s *standby) Start() { s.interop.Start() }

// IsIdle implements channel. Read receipts that wait for the channel are work too; most are sent when it comes up.
func (s *standby) IsIdle(ctx context.Context) (bool, error) {
	c := (*Client)(s)
	if !c.interop.IsConnected() {
		return false, nil
	}
	if kept := c.chats.takeReceipts(); len(kept) > 0 {
		c.sendKeptReceipts(c.login.Log.WithContext(ctx), kept)
		return false, nil
	}
	return s.interop.IsIdle(ctx)
}

// Rest implements channel.
func (s *standby) Rest(ctx context.Context) (more bool, err error) {
	more, err = s.interop.Rest(ctx)
	s.login.Log.Debug().Bool("more", more).Msg("Disconnected, as nothing is to do")
	return more, err
}

// noteConnected remembers that the gatekeeper knows that the user is there.
func (n *Network) noteConnected(ctx context.Context, account database.AccountID) error {
	return n.enlistments.MarkConnected(ctx, account, n.Clock.Now())
}
