package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/interop"
	"postern/portal"
)

func (c *Client) handleReceipt(ctx context.Context, receipt *interop.Receipt) error {
	contact, key, err := c.chat(receipt.Chat)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("Dropped a receipt of an unusable sender")
		return nil
	}
	targets := make([]networkid.MessageID, 0, len(receipt.IDs))
	for _, messageID := range receipt.IDs {
		if target, err := portal.MessageID(portal.FromUser, contact, messageID); err == nil {
			targets = append(targets, target)
		}
	}
	if receipt.Type == interop.ReceiptDelivered {
		return c.unlessHopeless(ctx, c.deliverReceipt(ctx, key, contact, targets))
	}
	evt := &remoteReceipt{
		remoteEvent: remoteEvent{client: c, key: key, sender: contact, at: receipt.Timestamp},
		targets:     targets,
	}
	if err = c.queue(evt, &evt.remoteEvent); errors.Is(err, errNotBegun) {
		return nil // there is no room to show it in
	}
	return c.unlessHopeless(ctx, err)
}

// unlessHopeless drops what is about an earlier message and what the homeserver will never take, such as a receipt in a room
// that was purged: it must not hold up the messages behind it.
func (c *Client) unlessHopeless(ctx context.Context, err error) error {
	if err == nil || failureKind(err) == failureWait {
		return err
	}
	zerolog.Ctx(ctx).Warn().Err(err).Msg("Dropped a receipt or a change that cannot be shown")
	return nil
}

// deliverReceipt says at each message that the contact's phone has it. bridgev2 could do that too, but would not tell
// whether it worked.
func (c *Client) deliverReceipt(ctx context.Context, key networkid.PortalKey, contact networkid.UserID, targets []networkid.MessageID) error {
	room, err := c.room(ctx, key)
	if err != nil || room == "" {
		return err
	}
	ms := &bridgev2.MessageStatus{
		Status:      event.MessageStatusSuccess,
		DeliveredTo: []id.UserID{c.network.Matrix.FormatGhostMXID(contact)},
	}
	for _, target := range targets {
		parts, err := c.network.bridge.DB.Message.GetAllPartsByID(ctx, key.Receiver, target)
		if err != nil {
			return fmt.Errorf("failed to look for a delivered message: %w", err)
		}
		for _, part := range parts {
			err = c.network.Matrix.DeliverStatus(ctx, ms, &bridgev2.MessageStatusEventInfo{
				RoomID: room, SourceEventID: part.MXID, EventType: event.EventMessage, Sender: part.SenderMXID,
			})
			if c.network.Matrix.Gone(ctx, room, err) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) handleChatState(state *interop.ChatState) error {
	contact, key, err := c.chat(state.Chat)
	if err != nil {
		return err
	}
	evt := &remoteTyping{
		remoteEvent: remoteEvent{client: c, key: key, sender: contact, at: time.Now()},
		composing:   state.Composing,
		recording:   state.Recording,
	}
	return c.queue(evt, &evt.remoteEvent)
}
