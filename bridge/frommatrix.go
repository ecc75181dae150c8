package bridge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

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
func (c *Client) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	if !c.IsLoggedIn() {
		return nil, bridgev2.ErrNotLoggedIn
	}
	contact, jid, err := contactJID(msg.Portal.PortalKey)
	if err != nil {
		return nil, fmt.Errorf("failed to find the recipient: %w", err)
	}
	out, err := portal.ToInterop(msg, nil)
	if err != nil {
		return nil, err
	}
	message := out.Message
	messageID := interop.MessageID(c.enlistment.JID, msg.Event.ID.String())
	rowID, err := portal.MessageID(portal.FromUser, contact, messageID)
	if err != nil {
		return nil, err
	}
	// Before Send, so that it is shown before the result, which may come at any time after.
	c.network.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{Status: event.MessageStatusPending}, bridgev2.StatusEventInfoFromEvent(msg.Event))
	if err = c.enqueue(ctx, jid, messageID, message, msg.Event.ID); errors.Is(err, bridgev2.ErrNotLoggedIn) {
		return nil, err
	} else if err != nil {
		return nil, sendError(c.gatekeeperName(), err)
	}
	c.saveOwnMessage(ctx, msg, rowID)
	// Pending keeps bridgev2 from reporting success, and from storing the message, which is done.
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// enqueue puts a message into the outbox, unless the enlistment ended meanwhile: nobody would look there again.
func (c *Client) enqueue(
	ctx context.Context, jid types.JID, messageID types.MessageID, message *waE2E.Message, ref id.EventID,
) error {
	c.sending.RLock()
	defer c.sending.RUnlock()
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	}
	return c.interop.Send(ctx, jid, messageID, message, ref.String())
}

// saveOwnMessage lets receipts find the message. If it fails, the message is sent all the same.
func (c *Client) saveOwnMessage(ctx context.Context, msg *bridgev2.MatrixMessage, rowID networkid.MessageID) {
	log := zerolog.Ctx(ctx)
	if _, err := c.network.bridge.GetGhostByID(ctx, c.self); err != nil { // a message's sender must be in the table of ghosts
		log.Err(err).Msg("Failed to load the user's own ghost")
	}
	err := c.network.bridge.DB.Message.Insert(ctx, &mxdatabase.Message{
		ID:         rowID,
		MXID:       msg.Event.ID,
		Room:       msg.Portal.PortalKey,
		SenderID:   c.self,
		SenderMXID: msg.Event.Sender,
		Timestamp:  time.UnixMilli(msg.Event.Timestamp),
	})
	if err != nil {
		log.Err(err).Msg("Failed to store a message that is in the outbox")
	}
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

// sendResult tells the sender what became of a message. It may come twice, and after a restart. A refusal counts as told
// only when the notice is in the room; a success is told soon, since the contact's receipt tells it once more.
func (c *Client) sendResult(ctx context.Context, result *interop.SendResult) error {
	contact, err := portal.UserID(c.gatekeeper.ID, result.Chat)
	if err != nil {
		return err
	}
	room, err := c.room(ctx, portal.Key(c.login.ID, contact))
	if err != nil || room == "" || result.Ref == "" {
		return err
	}
	info := &bridgev2.MessageStatusEventInfo{
		RoomID:        room,
		SourceEventID: id.EventID(result.Ref),
		EventType:     event.EventMessage,
		MessageType:   event.MsgText,
		Sender:        c.login.UserMXID,
	}
	if result.Err == nil {
		c.network.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{Status: event.MessageStatusSuccess}, info)
		return nil
	}
	zerolog.Ctx(ctx).Warn().Err(result.Err).Str("message_id", result.ID).Msg("A message was refused for good")
	return c.network.Matrix.ReportFailure(ctx, &bridgev2.MessageStatus{
		Status:        event.MessageStatusFail,
		ErrorReason:   event.MessageStatusNetworkError,
		InternalError: result.Err,
		Message:       textSendFailed(c.gatekeeperName(), result.Err),
		IsCertain:     true,
		SendNotice:    true,
	}, info)
}

const (
	// maxReadReceipts is how many messages one read receipt from Matrix may tell the contact about, the newest first.
	maxReadReceipts = 1024
	// receiptBatch is how many ids one receipt carries: as many as the interop contract allows.
	receiptBatch = 256
)

// HandleMatrixReadReceipt implements bridgev2.ReadReceiptHandlingNetworkAPI: a receipt in a room stands for everything
// up to there, a gatekeeper wants every message named. On an error bridgev2 does not move its mark, so what was not
// told is told with the next receipt; if the channel was down, when it is up again.
func (c *Client) HandleMatrixReadReceipt(ctx context.Context, receipt *bridgev2.MatrixReadReceipt) error {
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	}
	err := c.sendRead(ctx, receipt.Portal.PortalKey, receipt.LastRead, receipt.ReadUpTo)
	if errors.Is(err, interop.ErrNotConnected) {
		c.chats.keepReceipt(receipt.Portal.PortalKey, receipt.LastRead, receipt.ReadUpTo)
	}
	return err
}

// sendRead tells the contact that their messages of that time were read.
func (c *Client) sendRead(ctx context.Context, key networkid.PortalKey, after, upTo time.Time) error {
	_, jid, err := contactJID(key)
	if err != nil {
		return err
	}
	if after.Before(time.Unix(1, 0)) {
		after = time.Unix(1, 0) // the zero time has no nanoseconds to compare with
	}
	// A gatekeeper's times are full seconds, and of two messages of one second only the first may have been read.
	messages, err := c.network.bridge.DB.Message.GetMessagesBetweenTimeQuery(ctx, key, after.Add(-1), upTo)
	if err != nil {
		return fmt.Errorf("failed to look for read messages: %w", err)
	}
	slices.SortStableFunc(messages, func(a, b *mxdatabase.Message) int { return a.Timestamp.Compare(b.Timestamp) })
	var ids []types.MessageID
	for _, message := range messages {
		direction, _, messageID, err := portal.ParseMessageID(message.ID)
		if err == nil && direction == portal.FromContact && !slices.Contains(ids, messageID) {
			ids = append(ids, messageID)
		}
	}
	ids = ids[max(0, len(ids)-maxReadReceipts):]
	for batch := range slices.Chunk(ids, receiptBatch) {
		if err = c.interop.SendReceipt(ctx, jid, batch, interop.ReceiptRead, upTo); err != nil {
			return fmt.Errorf("failed to send a read receipt: %w", err)
		}
	}
	return nil
}

// HandleMatrixTyping implements bridgev2.TypingHandlingNetworkAPI. While the channel is down nobody needs to know.
func (c *Client) HandleMatrixTyping(ctx context.Context, typing *bridgev2.MatrixTyping) error {
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	}
	_, jid, err := contactJID(typing.Portal.PortalKey)
	if err != nil {
		return err
	}
	if err = c.interop.SendChatState(ctx, jid, typing.IsTyping); errors.Is(err, interop.ErrNotConnected) {
		return nil
	}
	return err
}
