package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/bridge/limits"
	"postern/interop"
)

// Whoever has third-party chats off cannot be written to, but asked, with a ping. The wish is stored with the contact, and the
// gatekeeper keeps the answer until it was taken, so neither gets lost.

const (
	// pingPause is the least time between two pings of a user to one contact. How many a user may send to all in a day is LimitPings.
	pingPauseDays = 7
	pingPause     = pingPauseDays * 24 * time.Hour
)

// errPinged: the contact does not accept third-party chats, and was asked to.
var errPinged = errors.New("contact was asked to turn third-party chats on")

// reachOut asks a contact to turn third-party chats on. It never returns nil, unless they accept such chats by now:
// errPinged, interop.ErrTooManyPings, *Error, and what Ping returns.
func (c *Client) reachOut(ctx context.Context, jid types.JID) error {
	now := c.network.Clock.Now()
	noted, err := c.contacts().Ping(ctx, jid, now, now.Add(-pingPause))
	if err != nil {
		return err
	} else if !noted {
		return interop.ErrTooManyPings
	}
	if err = c.network.limits.Take(ctx, c.login.UserMXID, limits.Pings, 1); err != nil {
		return errors.Join(err, c.contacts().Unping(ctx, jid))
	}
	on, err := c.interop.Ping(ctx, jid)
	switch {
	case err == nil && !on:
		zerolog.Ctx(ctx).Info().Msg("Asked a contact to turn third-party chats on")
		return errPinged
	case errors.Is(err, interop.ErrTooManyPings):
		return err // the wish stays: they were asked before
	}
	return errors.Join(err, c.contacts().Unping(ctx, jid))
}

// reachable opens the chat with a contact who turned third-party chats on because the user asked. It can be repeated.
func (c *Client) reachable(ctx context.Context, jid types.JID) error {
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return err
	} else if !contact.Wished {
		return nil
	}
	user, key, err := c.chat(jid)
	if err != nil {
		return c.undeliverable(ctx, "", err)
	}
	if err = c.Accept(ctx, jid); err != nil {
		return err
	}
	c.introduce(ctx, user, &interop.MessageInfo{Chat: jid})
	chat, err := c.network.bridge.GetPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("failed to load the chat: %w", err)
	}
	if err = chat.CreateMatrixRoom(ctx, c.login, c.chatInfo(user)); err != nil {
		return fmt.Errorf("failed to make the room of a contact who can be reached now: %w", err)
	}
	if first, err := c.contacts().Grant(ctx, jid); err != nil || !first {
		return err
	}
	c.network.tell(ctx, c.login.UserMXID, fmt.Sprintf("%s accepts third-party chats now. You can write to them in your chat.", c.contactName(ctx, user)))
	return nil
}
