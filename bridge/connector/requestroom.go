package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
	"postern/puppet"
)

// A request's room has the user as an invited member, and says who wants to write: name, number, gatekeeper. Nobody is joined
// in the user's name, and the contact's picture is not fetched: a stranger would choose what is loaded.

const (
	// maxShown bounds how many requests of a user have a room. roomsPerMinute bounds how fast rooms are made.
	maxShown       = 20
	roomsPerMinute = 6
	// floodPause is the least time between two notices that requests came which have no room.
	floodPause = time.Hour
)

// flood counts the rooms that were made for requests, and remembers when the user was last told that some have none. Safe for
// concurrent use; the zero value is ready.
type flood struct {
	lock sync.Mutex
	made []time.Time // within the last minute
	told time.Time
}

// mayMake tells whether another room may be made now, and counts it.
func (f *flood) mayMake(now time.Time) bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	for len(f.made) > 0 && now.Sub(f.made[0]) >= time.Minute {
		f.made = f.made[1:]
	}
	if len(f.made) >= roomsPerMinute {
		return false
	}
	f.made = append(f.made, now)
	return true
}

// mayTell tells whether the user is to be told now, which is the last time for a while.
func (f *flood) mayTell(now time.Time) bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	if !f.told.IsZero() && now.Sub(f.told) < floodPause {
		return false
	}
	f.told = now
	return true
}

// showRequest makes the room of a request, if there may be another one. Otherwise the request is in the list only, and the
// user is told that there are such. The locks of the chat and for strangers are held.
// again is set for one that should have a room.
func (c *Client) showRequest(ctx context.Context, jid types.JID, pushName string, again bool) error {
	contact, key, err := c.chat(jid)
	if err != nil {
		return err
	}
	_, shown, err := c.contacts().CountRequests(ctx)
	if err != nil {
		return err
	}
	now := c.network.Clock.Now()
	if again {
		shown--
	}
	if shown >= maxShown || !c.gate.flood.mayMake(now) {
		if c.gate.flood.mayTell(now) {
			c.network.Spawn(func(ctx context.Context) { c.network.tell(ctx, c.login.UserMXID, textFlood(c.gatekeeperName())) })
		}
		return nil
	}
	// A room that is there was not finished before a kill. bridgev2 would join it in the user's name to look after it.
	if err = c.dropRequestRoom(ctx, key); err != nil {
		return err
	}
	profile := &puppet.Profile{JID: jid, PushName: pushName}
	if err = c.nameRequester(ctx, contact, profile); err != nil {
		return err
	}
	chat, err := c.network.bridge.GetPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("failed to load the chat: %w", err)
	}
	// Noted before, so that whoever joins the room finds that it is a request's.
	if err = c.contacts().SetShown(ctx, jid, true); err != nil {
		return err
	}
	info := portal.RequestInfo(contact, textRequestName(c.gatekeeperName(), profile), textRequestTopic(c.gatekeeperName(), profile))
	info.UserLocal = c.userLocal()
	if err = chat.CreateMatrixRoom(ctx, c.login, info); err != nil {
		return fmt.Errorf("failed to make a room for a request: %w", err)
	}
	room, err := c.room(ctx, key)
	if err != nil {
		return err
	}
	if err = c.network.Matrix.BotIntent().EnsureInvited(ctx, room, c.login.UserMXID); err != nil {
		return fmt.Errorf("failed to invite a user to the room of a request: %w", err)
	}
	return nil
}

// hasRequestRoom tells whether there is a room that the user knows of.
func (c *Client) hasRequestRoom(ctx context.Context, key networkid.PortalKey) (bool, error) {
	room, err := c.room(ctx, key)
	if err != nil || room == "" {
		return false, err
	}
	return c.network.Matrix.StateStore.IsMembership(ctx, room, c.login.UserMXID, event.MembershipInvite, event.MembershipJoin), nil
}

// nameRequester gives the ghost of a contact who asks a name, and no picture.
func (c *Client) nameRequester(ctx context.Context, contact networkid.UserID, profile *puppet.Profile) error {
	if _, err := c.network.bridge.GetGhostByID(ctx, contact); err != nil { // which makes it
		return fmt.Errorf("failed to load a contact: %w", err)
	}
	defer c.network.ghosts.WithLock(contact)()
	return c.network.changeProfile(ctx, contact, func(ghost *bridgev2.Ghost) error {
		if profile.Recall(ghost.Metadata); ghost.Name == "" {
			ghost.UpdateInfo(ctx, profile.UserInfo())
		}
		return nil
	})
}

// openRoom makes the room of a request that of a chat: with the contact's name and picture, and joined in the user's name if
// the bridge may do that.
func (c *Client) openRoom(ctx context.Context, jid types.JID, key networkid.PortalKey) error {
	contact, err := portal.Contact(key.ID)
	if err != nil {
		return err
	}
	c.login.QueueRemoteEvent(&chatTask{key: key, work: func(ctx context.Context, chat *bridgev2.Portal) {
		if metadata, ok := chat.Metadata.(*PortalMetadata); ok {
			metadata.Complete = false
		}
		c.completeRoom(ctx, chat)
	}})
	c.note(ctx, profileNews{contact: contact, picture: true})
	return c.contacts().SetShown(ctx, jid, false)
}

// dropRequestRoom takes everybody out of the room of a request and forgets it. It does nothing if there is none, and can be
// repeated.
func (c *Client) dropRequestRoom(ctx context.Context, key networkid.PortalKey) error {
	room, err := c.room(ctx, key)
	if err != nil || room == "" {
		return err
	}
	if err = c.network.Matrix.Disinvite(ctx, room, c.login.UserMXID); err != nil {
		return err
	}
	if err = c.network.Matrix.LeaveRoom(ctx, room, true); err != nil {
		return err
	} else if err = c.network.Matrix.ForgetRoom(ctx, room); err != nil {
		return err
	}
	chat, err := c.network.bridge.GetExistingPortalByKey(ctx, key)
	if err != nil || chat == nil {
		return err
	}
	if err = chat.Delete(ctx); err != nil {
		return fmt.Errorf("failed to forget the room of a request: %w", err)
	}
	zerolog.Ctx(ctx).Debug().Stringer("room_id", room).Msg("The room of a request is gone")
	return ctx.Err() // bridgev2 does nothing and says nothing then
}
