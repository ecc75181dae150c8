package connector

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
	"postern/interop"
	"postern/portal"
)

// kindUndecryptable is what the log calls the kind of a message that could not be read.
const kindUndecryptable = "undecryptable"

// errNotBegun: bridgev2 ignored an event whose chat was deleted meanwhile. With the next try the chat is made anew.
var errNotBegun = errors.New("the chat was deleted while an event came")

// HandleEvent implements interop.Handler. For messages and receipts nil means that Matrix has them.
func (c *Client) HandleEvent(ctx context.Context, evt interop.Event) error {
	ctx = c.login.Log.WithContext(ctx)
	switch evt.(type) {
	case *interop.Connected, *interop.OfflineDelivered, *interop.Disconnected, *interop.Ended:
	default:
		c.use()
		c.lookAtIgnored()
	}
	switch evt := evt.(type) {
	case *interop.Message:
		return c.passMessage(ctx, evt, &evt.MessageInfo, func() error { return c.handleMessage(ctx, evt) })
	case *interop.Undecryptable:
		return c.passMessage(ctx, evt, &evt.MessageInfo, func() error { return c.handleUndecryptable(ctx, evt) })
	case *interop.Receipt:
		return c.pass(ctx, evt.Chat, "", func() error { return c.handleReceipt(ctx, evt) }, nil)
	case *interop.ChatState:
		return c.pass(ctx, evt.Chat, "", func() error { return c.handleChatState(evt) }, nil)
	case *interop.IdentityChanged:
		return c.pass(ctx, evt.Contact, "", func() error { return c.handleIdentityChanged(ctx, evt) }, nil)
	case *interop.ContactChanged:
		return c.pass(ctx, evt.Contact, "", func() error { c.pictureChanged(ctx, evt.Contact); return nil }, nil)
	case *interop.ContactReachable:
		return c.reachable(ctx, evt.Contact)
	case *interop.HeldBack:
		return c.handleHeldBack(ctx, evt)
	case *interop.BlocklistChanged:
		c.compareBlocksSoon()
		return nil
	case *interop.SendResult:
		return c.sendResult(ctx, evt)
	default:
		c.handleHealth(ctx, evt)
		return nil
	}
}

// chat returns what names the chat with a contact.
func (c *Client) chat(jid types.JID) (contact networkid.UserID, key networkid.PortalKey, err error) {
	contact, err = portal.UserID(c.gatekeeper.ID, jid)
	return contact, portal.Key(c.login.ID, contact), err
}

func (c *Client) handleMessage(ctx context.Context, msg *interop.Message) error {
	sent := new(homeserver.Sent)
	if err := c.showMessage(homeserver.WithSent(ctx, sent), msg); err != nil {
		return err
	}
	c.logShown(&msg.MessageInfo, interop.KindOf(msg.Message), sent)
	return nil
}

// logShown is the one line about a message of a contact. It has no events for what became none, such as a message that is in
// the room already.
func (c *Client) logShown(info *interop.MessageInfo, kind string, sent *homeserver.Sent) {
	line := c.login.Log.Info().Str(fieldMessage, info.ID).Str("kind", kind)
	room, events := sent.Events()
	if room != "" {
		line = line.Stringer(fieldRoom, room)
	}
	if len(events) > 0 {
		line = line.Stringer(fieldEvent, events[0])
	}
	if len(events) > 1 {
		line = line.Strs(fieldEvents, eventTexts(events))
	}
	if !info.Received.IsZero() && !info.Offline {
		line = line.Dur("took", time.Since(info.Received))
	}
	line.Msg("A message of a contact is done")
}

func eventTexts(events []id.EventID) []string {
	texts := make([]string, len(events))
	for i, event := range events {
		texts[i] = event.String()
	}
	return texts
}

// showMessage is handleMessage without its line in the log.
func (c *Client) showMessage(ctx context.Context, msg *interop.Message) error {
	action, err := portal.ActionOf(msg.Message)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("message_id", msg.ID).Msg("Dropped a change of an earlier message that cannot be right")
		return nil
	} else if action != nil {
		return c.handleAction(ctx, msg, action)
	}
	remote, err := c.newRemoteMessage(ctx, &msg.MessageInfo)
	if err != nil {
		return c.undeliverable(ctx, msg.ID, err)
	}
	remote.message = msg.Message
	if err = c.deliverPrepared(ctx, remote); err != nil {
		return err
	}
	c.updateName(ctx, remote.sender, &msg.MessageInfo)
	return nil
}

func (c *Client) handleUndecryptable(ctx context.Context, msg *interop.Undecryptable) error {
	if msg.Hide {
		return nil
	}
	sent := new(homeserver.Sent)
	remote, err := c.newRemoteMessage(homeserver.WithSent(ctx, sent), &msg.MessageInfo)
	if err != nil {
		return c.undeliverable(ctx, msg.ID, err)
	}
	remote.placeholder = true
	if err = c.deliver(ctx, remote); err != nil {
		return err
	}
	c.logShown(&msg.MessageInfo, kindUndecryptable, sent)
	c.updateName(ctx, remote.sender, &msg.MessageInfo)
	return nil
}

func (c *Client) newRemoteMessage(ctx context.Context, info *interop.MessageInfo) (*remoteMessage, error) {
	contact, key, err := c.chat(info.Chat)
	if err != nil {
		return nil, err
	}
	messageID, err := portal.MessageID(portal.FromContact, contact, info.ID)
	if err != nil {
		return nil, err
	}
	c.introduce(ctx, contact, info)
	return &remoteMessage{
		remoteEvent: remoteEvent{
			client: c, key: key, sender: contact, at: info.Timestamp, repeated: info.Offline, logID: info.ID, sent: homeserver.SentOf(ctx),
		},
		id: messageID,
	}, nil
}

// undeliverable drops a message that can never be delivered, because its sender or its id are not usable. It is
// acknowledged, or it would block the chat for ever.
func (c *Client) undeliverable(ctx context.Context, messageID types.MessageID, err error) error {
	zerolog.Ctx(ctx).Error().Err(err).Int("id_length", len(messageID)).Msg("Dropped a message that has no usable sender or id")
	return nil
}

// queue hands an event to bridgev2 and returns nil when it is done for good. bridgev2 handles it in this goroutine's
// time, see init.
func (c *Client) queue(evt bridgev2.RemoteEvent, common *remoteEvent) error {
	defer c.network.profiles.use(networkid.UserID(common.key.ID))()
	result := c.login.QueueRemoteEvent(evt)
	switch {
	case result.Error != nil:
		return result.Error
	case !result.Success && common.failure.Err != nil:
		return common.failure.Err
	case !result.Success:
		return errHandling
	case result.Ignored && !common.begun:
		return errNotBegun
	default:
		return nil
	}
}

// errHandling: bridgev2 failed and did not say why, which it does after a panic.
var errHandling = errors.New("handling the event failed")
