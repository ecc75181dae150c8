package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/settings"
	"postern/interop"
	"postern/portal"
)

const (
	// maxReadReceipts is how many messages one read receipt from Matrix may tell the contact about, the newest first.
	maxReadReceipts = 1024
	// receiptBatch is how many ids one receipt carries: as many as the interop contract allows.
	receiptBatch = 256
)

// receiptsSince is where it is stored when the user turned read receipts on: in Unix seconds, among the settings.
const receiptsSince = "read-receipts-since"

// changeReadReceipts remembers when read receipts were turned on: contacts never see of a message that came before whether it
// was read.
func changeReadReceipts(ctx context.Context, c *Client, value string) (string, error) {
	if value == settings.Off {
		return "", nil
	}
	since := strconv.FormatInt(time.Now().Unix()+1, 10) // a gatekeeper's times are full seconds
	if err := c.network.enlistments.SetSetting(ctx, c.enlistment.Account, receiptsSince, since); err != nil {
		return "", err
	}
	c.settings.Set(receiptsSince, since)
	return "That is for messages that come from now on.", nil
}

// tellReadSince is from when on contacts may know what was read.
func (c *Client) tellReadSince() time.Time {
	since, err := strconv.ParseInt(c.settings.Stored(receiptsSince), 10, 64)
	if err != nil {
		return time.Unix(1, 0) // never turned off. The zero time has no nanoseconds to compare with
	}
	return time.Unix(since, 0)
}

// errNotAccepted keeps bridgev2 from moving its mark of what was read.
var errNotAccepted = errors.New("the user has not accepted the contact")

// HandleMatrixReadReceipt implements bridgev2.ReadReceiptHandlingNetworkAPI: a receipt in a room stands for everything
// up to there, a gatekeeper wants every message named. On an error bridgev2 does not move its mark, so what was not
// told is told with the next receipt; if the channel was down, when it is up again.
func (c *Client) HandleMatrixReadReceipt(ctx context.Context, receipt *bridgev2.MatrixReadReceipt) error {
	if !c.IsLoggedIn() {
		return bridgev2.ErrNotLoggedIn
	} else if receipt.Portal.MessageRequest {
		return errNotAccepted
	} else if !c.isOn(settings.ReadReceipts) {
		return nil // bridgev2 moves its mark, so what was read now is not told later either
	}
	err := c.sendRead(ctx, receipt.Portal.PortalKey, receipt.LastRead, receipt.ReadUpTo)
	if errors.Is(err, interop.ErrNotConnected) {
		c.chats.keepReceipt(receipt.Portal.PortalKey, receipt.LastRead, receipt.ReadUpTo)
		c.need()
	}
	return err
}

// sendRead tells the contact that their messages of that time were read.
func (c *Client) sendRead(ctx context.Context, key networkid.PortalKey, after, upTo time.Time) error {
	_, jid, err := contactJID(key)
	if err != nil {
		return err
	}
	if blocked, err := c.isBlocked(ctx, jid); blocked || err != nil {
		return err
	}
	if since := c.tellReadSince(); after.Before(since) {
		after = since
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
	if typing.Portal.MessageRequest || !c.isOn(settings.Typing) {
		return nil
	}
	if blocked, err := c.isBlocked(ctx, jid); blocked || err != nil {
		return err
	}
	if typing.IsTyping {
		c.need() // a message will follow
	}
	if err = c.interop.SendChatState(ctx, jid, typing.IsTyping); errors.Is(err, interop.ErrNotConnected) {
		return nil
	}
	return err
}
