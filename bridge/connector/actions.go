package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
	"postern/interop"
	"postern/portal"
)

// What contacts do to earlier messages. The events of a chat come one at a time, so what is looked up here does not
// change before it is used.
//
// An edit or a deletion may come before the message that it is about, when that message had to be asked for again:
//
//   - an edit then takes the message's place, under its id, and the original that comes later changes nothing;
//   - a deletion leaves a mark in the table of messages, and the original is not shown.

// handleAction carries out what a message does to the chat or to an earlier message.
func (c *Client) handleAction(ctx context.Context, msg *interop.Message, action *portal.Action) error {
	contact, key, err := c.chat(msg.Chat)
	if err != nil {
		return c.undeliverable(ctx, msg.ID, err)
	}
	common := remoteEvent{client: c, key: key, sender: contact, at: msg.Timestamp, repeated: msg.Offline, cause: msg.ID, logID: msg.ID, sent: homeserver.SentOf(ctx)}
	if action.At.IsZero() {
		action.At = msg.Timestamp
	}
	if action.Kind == portal.ActionTimer {
		return c.changeTimer(ctx, common, msg, action.Timer)
	}
	target, err := portal.MessageID(action.Direction, contact, action.Target)
	if err != nil {
		return c.undeliverable(ctx, msg.ID, err)
	}
	existing, err := c.network.bridge.DB.Message.GetAllPartsByID(ctx, key.Receiver, target)
	if err != nil {
		return fmt.Errorf("failed to look for the message that is changed: %w", err)
	}
	if portal.IsDeleted(existing) {
		return nil
	}
	switch action.Kind {
	case portal.ActionReact:
		return c.react(ctx, common, msg, target, action, len(existing) > 0)
	case portal.ActionEdit:
		return c.editMessage(ctx, common, msg, target, action, existing)
	case portal.ActionDelete:
		return c.deleteMessage(ctx, common, target, existing)
	default:
		return nil
	}
}

// react shows a reaction. One to a message that is not here becomes a notice; taking that back shows nothing.
func (c *Client) react(
	ctx context.Context, common remoteEvent, msg *interop.Message, target networkid.MessageID, action *portal.Action, known bool,
) error {
	switch {
	case action.Emoji == "":
		evt := &remoteReactionRemove{remoteEvent: common, target: target}
		return c.unlessHopeless(ctx, c.change(evt, &evt.remoteEvent))
	case !known:
		return c.noticeFrom(ctx, common, msg.ID, textStrayReaction(action.Emoji))
	default:
		evt := &remoteReaction{remoteEvent: common, target: target, emoji: action.Emoji}
		return c.unlessHopeless(ctx, c.change(evt, &evt.remoteEvent))
	}
}

// editMessage changes a message, or takes its place if it is not here, or not readable yet.
func (c *Client) editMessage(
	ctx context.Context, common remoteEvent, msg *interop.Message, target networkid.MessageID, action *portal.Action,
	existing []*mxdatabase.Message,
) error {
	if len(existing) == 0 || portal.HasPlaceholder(existing) && !portal.IsUnfetched(existing) {
		c.introduce(ctx, common.sender, &msg.MessageInfo)
		early := &remoteMessage{remoteEvent: common, id: target, message: action.Edited, editedAt: action.At}
		return c.deliverPrepared(ctx, early)
	}
	evt := &remoteEdit{remoteEvent: common, target: target, existing: existing, action: action}
	if err := c.unlessHopeless(ctx, c.change(evt, &evt.remoteEvent)); err != nil || len(evt.surplus) == 0 {
		return err
	}
	return c.removeParts(common, evt.surplus, nil)
}

// deleteMessage takes a message away, and leaves a mark so that it does not come back. A chat without a room keeps the mark, too.
func (c *Client) deleteMessage(ctx context.Context, common remoteEvent, target networkid.MessageID, existing []*mxdatabase.Message) error {
	if err := c.unfetched().DeleteUnfetched(ctx, string(target)); err != nil {
		return err
	}
	grave := newGrave(&common, target)
	room, err := c.room(ctx, common.key)
	if err != nil {
		return err
	} else if room == "" {
		return c.bury(ctx, grave)
	}
	return c.removeParts(common, existing, grave)
}

// bury notes that a message was deleted that never came, in a chat that has no room.
func (c *Client) bury(ctx context.Context, grave *mxdatabase.Message) error {
	if _, err := c.network.bridge.GetPortalByKey(ctx, grave.Room); err != nil { // the note belongs to a chat
		return fmt.Errorf("failed to load the chat: %w", err)
	}
	ghost, err := c.network.bridge.GetGhostByID(ctx, grave.SenderID)
	if err != nil {
		return fmt.Errorf("failed to load the contact: %w", err)
	}
	grave.SenderMXID = ghost.Intent.GetMXID()
	if err = c.network.bridge.DB.Message.Insert(ctx, grave); err != nil {
		return fmt.Errorf("failed to note that a message was deleted: %w", err)
	}
	return nil
}

// removeParts takes parts of a message out of the room, and notes the grave if there is one.
func (c *Client) removeParts(common remoteEvent, parts []*mxdatabase.Message, grave *mxdatabase.Message) error {
	var undone error
	evt := &remoteRemoval{remoteEvent: common, parts: parts, grave: grave, undone: &undone}
	if err := c.queue(evt, &evt.remoteEvent); err != nil {
		return err
	}
	return undone
}

// noticeFrom shows a notice about something that the contact did, under the id of the message that did it.
func (c *Client) noticeFrom(ctx context.Context, common remoteEvent, id string, text string) error {
	messageID, err := portal.MessageID(portal.FromContact, common.sender, id)
	if err != nil {
		return c.undeliverable(ctx, id, err)
	}
	return c.deliver(ctx, &remoteMessage{remoteEvent: common, id: messageID, notice: text})
}

// change hands bridgev2 an event about a chat that has a room; without one there is nothing to change.
func (c *Client) change(evt bridgev2.RemoteEvent, common *remoteEvent) error {
	err := c.queue(evt, common)
	if errors.Is(err, errNotBegun) {
		return nil
	}
	return err
}

// changeTimer says that the contact changed how long messages stay, and obeys from now on.
func (c *Client) changeTimer(ctx context.Context, common remoteEvent, msg *interop.Message, timer time.Duration) error {
	c.introduce(ctx, common.sender, &msg.MessageInfo)
	if err := c.noticeFrom(ctx, common, msg.ID, textTimer(timer)); err != nil {
		return err
	}
	c.login.QueueRemoteEvent(&chatTask{key: common.key, work: func(ctx context.Context, chat *bridgev2.Portal) {
		setTimer(ctx, chat, timer, false)
	}})
	return nil
}

// setTimer notes how long the chat's messages stay, and tells clients that show it; all others get a notice if they have
// not been told otherwise. It is called with the chat's lock held.
func setTimer(ctx context.Context, chat *bridgev2.Portal, timer time.Duration, notice bool) {
	setting := mxdatabase.DisappearingSetting{Type: event.DisappearingTypeAfterSend, Timer: timer}
	chat.UpdateDisappearingSetting(ctx, setting, bridgev2.UpdateDisappearingSettingOpts{
		Save: true, SendNotice: notice, Implicit: true, ExcludeFromTimeline: true,
	})
}
