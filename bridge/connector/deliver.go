package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
)

// What happens when a message cannot be delivered to Matrix. The interop client tries again with backoff, in order, so
// a message that never succeeds would block its chat for ever. Nothing is dropped for that:
//
//   - The homeserver is away or out of order: only time helps, and it is tried for as long as that takes.
//   - The bot is not in the room any more, or the room is gone: the chat gets a new room at once.
//   - The homeserver refuses again and again for another reason, such as permissions that someone took from the
//     contact: after refusalLimit tries the chat gets a new room.
//   - The bridge itself fails, or the message is too large for Matrix: a notice takes the message's place after
//     faultLimit tries, so that it is known that there was one.
const (
	refusalLimit = 5
	faultLimit   = 3
)

const (
	textNewRoom = "The room of your chat with %s cannot be used any more, so a new one was made. What was said before is in the old one."
	textFault   = "A message came here that the bridge cannot show. Please look at it together with your contact; the administrator finds the reason in the bridge's log."
	textTooLong = "A message came here that is too long for Matrix. Please ask your contact to send it in smaller pieces."
)

// deliverPrepared delivers a message with its files. If they cannot be had, a notice takes its place.
func (c *Client) deliverPrepared(ctx context.Context, msg *remoteMessage) error {
	trouble, err := c.prepare(ctx, msg)
	if err == nil && trouble != nil {
		err = c.keepUnfetched(ctx, msg, trouble)
	}
	switch {
	case err != nil:
		zerolog.Ctx(ctx).Warn().Err(err).Str(fieldMessage, msg.rawID()).Msg("Failed to prepare a message for Matrix, it is tried again")
		return err
	case msg.shown:
		return nil
	default:
		return c.deliver(ctx, msg)
	}
}

// deliver hands a message to bridgev2 and decides what becomes of it if that fails.
func (c *Client) deliver(ctx context.Context, msg *remoteMessage) error {
	err := c.queueMessage(msg)
	if err == nil {
		c.chats.worked(msg.key)
		return nil
	}
	log := zerolog.Ctx(ctx).With().Str(fieldMessage, msg.rawID()).Logger()
	ctx = log.WithContext(ctx)
	kind := failureKind(err)
	failures := c.chats.failed(msg.key, kind)
	switch {
	case kind == failureWait:
	case kind == failureTooLarge:
		err = c.deliverInstead(ctx, msg, textTooLong, err)
	case kind == failureFault && failures >= faultLimit:
		err = c.deliverInstead(ctx, msg, textFault, err)
	case kind == failureRefused:
		c.replaceRoomIfNeeded(ctx, msg, failures, err)
	}
	if err == nil {
		c.chats.worked(msg.key)
		return nil
	}
	log.Warn().Err(err).Int("failures", failures).Msg("Failed to deliver a message to Matrix, it is tried again")
	return err
}

// queueMessage is queue for a message.
func (c *Client) queueMessage(msg *remoteMessage) error {
	msg.undone = nil
	err := c.queue(msg, &msg.remoteEvent)
	if msg.disappears {
		c.network.expiry.wake()
	}
	if err == nil {
		err = msg.undone
	}
	return err
}

type failure int

const (
	failureWait     failure = iota // time may heal it
	failureRefused                 // the homeserver does not want it
	failureTooLarge                // it is larger than an event may be
	failureFault                   // the bridge cannot do it
)

func failureKind(err error) failure {
	var answer mautrix.HTTPError
	switch {
	case errors.Is(err, homeserver.ErrNotEncrypted):
		return failureRefused
	case errors.Is(err, errHandling), errors.Is(err, bridgev2.ErrUnexpectedParsedContentType):
		return failureFault
	case errors.Is(err, mautrix.MTooLarge):
		return failureTooLarge
	case !errors.As(err, &answer) || answer.Response == nil:
		return failureWait
	case answer.Response.StatusCode == 413:
		return failureTooLarge
	case answer.Response.StatusCode >= 500, answer.Response.StatusCode == 429, errors.Is(err, mautrix.MUnknownToken):
		return failureWait
	default:
		return failureRefused
	}
}

// deliverInstead puts a notice into the message's place, under its id, or into that of its placeholder. The next try of the
// message finds it there.
func (c *Client) deliverInstead(ctx context.Context, msg *remoteMessage, text string, cause error) error {
	zerolog.Ctx(ctx).Error().Err(cause).Msg("A message cannot be shown, a notice takes its place")
	instead := *msg
	instead.message, instead.instead, instead.placeholder, instead.notice, instead.replaces = nil, nil, false, text, true
	if err := c.queueMessage(&instead); err != nil {
		return fmt.Errorf("failed to deliver a notice instead: %w", err)
	}
	return nil
}

// replaceRoomIfNeeded takes the room off the chat if it cannot be used any more, so that the next try makes a new one.
func (c *Client) replaceRoomIfNeeded(ctx context.Context, msg *remoteMessage, failures int, cause error) {
	replaced := false
	c.login.QueueRemoteEvent(&chatTask{key: msg.key, work: func(_ context.Context, chat *bridgev2.Portal) {
		log := zerolog.Ctx(ctx)
		room := chat.MXID
		if failures < refusalLimit && !c.network.Matrix.Gone(ctx, room, cause) {
			return
		}
		log.Error().Err(cause).Stringer("room_id", room).Msg("The room of a chat cannot be used, making a new one")
		if metadata, ok := chat.Metadata.(*PortalMetadata); ok {
			metadata.Complete = false
		}
		if err := chat.RemoveMXID(ctx); err != nil { // saves the metadata too
			log.Err(err).Msg("Failed to take the room off the chat")
			return
		}
		replaced = true
	}})
	if !replaced {
		return
	}
	c.chats.worked(msg.key)
	c.network.tell(ctx, c.login.UserMXID, fmt.Sprintf(textNewRoom, c.contactName(ctx, msg.sender)))
}

// completeRoom finishes what making a room began, if we were killed in between: invitations, names, and the mark as a
// direct chat. It is called with the portal's lock held, and does nothing for a room that is complete.
func (c *Client) completeRoom(ctx context.Context, chat *bridgev2.Portal) {
	metadata, ok := chat.Metadata.(*PortalMetadata)
	if !ok || metadata.Complete {
		return
	}
	log := zerolog.Ctx(ctx)
	info, err := c.GetChatInfo(ctx, chat)
	if err != nil {
		log.Err(err).Msg("Failed to complete a room")
		return
	}
	chat.UpdateInfo(ctx, info, c.login, nil, time.Time{})
	// It does not say whether it worked. If the user was not invited, the rest is likely to be missing too.
	if !c.network.Matrix.StateStore.IsMembership(ctx, chat.MXID, c.login.UserMXID, event.MembershipInvite, event.MembershipJoin) {
		log.Warn().Stringer("room_id", chat.MXID).Msg("A room is not complete, it is tried again with the next event")
		return
	}
	metadata.Complete = true
	if err = chat.Save(ctx); err != nil {
		log.Err(err).Msg("Failed to note that a room is complete")
	}
}
