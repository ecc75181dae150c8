package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/bridge/limits"
	"postern/interop"
	"postern/portal"
)

// contactJID is who the chat is with.
func contactJID(key networkid.PortalKey) (networkid.UserID, types.JID, error) {
	contact, err := portal.Contact(key.ID)
	if err != nil {
		return "", types.EmptyJID, err
	}
	_, jid, err := portal.ParseUserID(contact)
	return contact, jid, err
}

// HandleMatrixMessage implements bridgev2.NetworkAPI. When it returns, the message is in the outbox, and so the
// homeserver need not keep it for us any more. Its status stays pending until the gatekeeper has it; see sendResult.
//
// If we are killed between the outbox and the table of messages, the homeserver sends the event again, and both steps
// are repeated: the first does nothing then, since the message's id is made from the event's.
func (c *Client) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (_ *bridgev2.MatrixMessageResponse, err error) {
	defer func() { c.countUnsent(err) }()
	if !c.IsLoggedIn() {
		return nil, bridgev2.ErrNotLoggedIn
	}
	contact, jid, err := contactJID(msg.Portal.PortalKey)
	if err != nil {
		return nil, fmt.Errorf("failed to find the recipient: %w", err)
	}
	if msg.Portal.MessageRequest {
		if err = c.acceptRequest(ctx, jid); err != nil {
			return nil, err
		}
	}
	outgoing, err := portal.ToInterop(msg, &portal.OutgoingContext{
		Quote: c.quote(ctx, msg), Timer: timerOf(msg.Portal), Self: c.enlistment.JID,
	})
	if err != nil {
		return nil, err
	}
	messageID := interop.MessageID(c.enlistment.JID, msg.Event.ID.String())
	rowID, err := portal.MessageID(portal.FromUser, contact, messageID)
	if err != nil {
		return nil, err
	}
	// Before Send, so that it is shown before the result, which may come at any time after.
	c.network.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{Status: event.MessageStatusPending}, bridgev2.StatusEventInfoFromEvent(msg.Event))
	if err = c.enqueue(ctx, jid, messageID, outgoing, reference{isMessage, msg.Event.ID}); err != nil {
		return nil, err
	}
	c.saveOwnMessage(ctx, msg, rowID)
	// Pending keeps bridgev2 from reporting success, and from storing the message, which is done.
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// enqueue puts a message into the outbox, unless the enlistment ended meanwhile: nobody would look there again. One whose
// file has to be carried first goes there as a draft; see completeDraft. All errors are for the sender.
func (c *Client) enqueue(
	ctx context.Context, jid types.JID, messageID types.MessageID, outgoing *portal.Outgoing, ref reference,
) error {
	if err := c.allow(ctx, messageID, outgoing, ref); err != nil {
		return err
	}
	c.sending.RLock()
	defer c.sending.RUnlock()
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	}
	c.lookAtIgnored()
	if blocked, err := c.isBlocked(ctx, jid); err != nil {
		return sendError(c.gatekeeperName(), err)
	} else if blocked {
		return refuseChange(errBlocked, textBlocked)
	}
	var err error
	if outgoing.Attachment == nil {
		err = c.interop.Send(ctx, jid, messageID, outgoing.Message, ref.String())
	} else if draft, marshalErr := outgoing.Marshal(); marshalErr != nil {
		err = marshalErr
	} else {
		err = c.interop.SendDraft(ctx, jid, messageID, draft, ref.String())
	}
	if err != nil {
		return sendError(c.gatekeeperName(), err)
	}
	c.login.Log.Debug().Stringer(fieldEvent, ref.event).Str(fieldMessage, messageID).Bool("file", outgoing.Attachment != nil).
		Msg("A message is in the outbox")
	c.need()
	return nil
}

// allow counts a message against the user's daily limits. One that was over them and is in the outbox already is allowed: the
// homeserver sends an event again if we were killed before the answer.
func (c *Client) allow(ctx context.Context, messageID types.MessageID, outgoing *portal.Outgoing, ref reference) error {
	if ref.kind == isRedaction {
		return nil
	}
	err := c.network.limits.Take(ctx, c.login.UserMXID, limits.Messages, 1)
	if err == nil && outgoing.Attachment != nil {
		err = c.network.limits.Take(ctx, c.login.UserMXID, limits.Files, 1)
	}
	var limited *limits.Error
	if err == nil {
		return nil
	} else if !errors.As(err, &limited) {
		return sendError(c.gatekeeperName(), err)
	}
	known, findErr := c.network.Database.AccountStore(c.enlistment.Account).FindOutgoing(ctx, messageID)
	if findErr != nil {
		return sendError(c.gatekeeperName(), findErr)
	} else if known != nil {
		return nil
	}
	return bridgev2.WrapErrorInStatus(err).WithMessage("This was not sent. " + limited.Sentence()).WithStatus(event.MessageStatusFail).
		WithErrorReason(event.MessageStatusGenericError).WithIsCertain(true).WithSendNotice(true)
}

// saveOwnMessage lets receipts find the message. If it fails, the message is sent all the same.
func (c *Client) saveOwnMessage(ctx context.Context, msg *bridgev2.MatrixMessage, rowID networkid.MessageID) {
	log := zerolog.Ctx(ctx)
	if _, err := c.network.bridge.GetGhostByID(ctx, c.self); err != nil { // a message's sender must be in the table of ghosts
		log.Err(err).Msg("Failed to load the user's own ghost")
	}
	row := &mxdatabase.Message{
		ID:         rowID,
		MXID:       msg.Event.ID,
		Room:       msg.Portal.PortalKey,
		SenderID:   c.self,
		SenderMXID: msg.Event.Sender,
		Timestamp:  time.UnixMilli(msg.Event.Timestamp),
	}
	if err := c.network.bridge.DB.Message.Insert(ctx, row); err != nil {
		log.Err(err).Msg("Failed to store a message that is in the outbox")
	}
	c.network.expiry.note(ctx, row, msg.Portal)
}

// sendError is what the sender is told when the outbox does not take a message.
func sendError(gatekeeper string, err error) error {
	if errors.Is(err, interop.ErrTooLarge) {
		return bridgev2.WrapErrorInStatus(err).
			WithMessage(textSendFailed(gatekeeper, err)).WithStatus(event.MessageStatusFail).
			WithErrorReason(event.MessageStatusUnsupported).WithIsCertain(true).WithSendNotice(true)
	}
	return bridgev2.WrapErrorInStatus(fmt.Errorf("failed to put a message into the outbox: %w", err)).
		WithMessage("The bridge could not store it. Please send it again.").WithIsCertain(true).WithSendNotice(true)
}
