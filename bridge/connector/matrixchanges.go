package connector

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/interop"
	"postern/portal"
)

// What our user does to earlier messages. Like messages these go through the outbox, in the order of the chat.

var (
	_ bridgev2.EditHandlingNetworkAPI      = (*Client)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI  = (*Client)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI = (*Client)(nil)
)

// changeTarget is the message that is changed, as the other side knows it.
type changeTarget struct {
	contact   networkid.UserID
	jid       types.JID
	direction portal.Direction
	id        types.MessageID
}

func (c *Client) changeTarget(row networkid.MessageID) (target changeTarget, err error) {
	if !c.IsLoggedIn() {
		return target, bridgev2.ErrNotLoggedIn
	}
	if target.direction, target.contact, target.id, err = portal.ParseMessageID(row); err != nil {
		return target, fmt.Errorf("failed to find out which message is meant: %w", err)
	}
	_, target.jid, err = portal.ParseUserID(target.contact)
	return target, err
}

// sendChange puts a change into the outbox. bridgev2 would report success when we return, so that is held until the
// gatekeeper has it.
func (c *Client) sendChange(ctx context.Context, evt *event.Event, kind referenceKind, to types.JID, message *waE2E.Message) error {
	messageID := interop.MessageID(c.enlistment.JID, evt.ID.String())
	c.network.Matrix.HoldSuccess(evt.ID)
	return c.enqueue(ctx, to, messageID, &portal.Outgoing{Message: message}, reference{kind, evt.ID})
}

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI.
func (c *Client) HandleMatrixEdit(ctx context.Context, edit *bridgev2.MatrixEdit) error {
	target, err := c.changeTarget(edit.EditTarget.ID)
	if err != nil {
		return err
	} else if target.direction != portal.FromUser {
		return refuseChange(errNotOwn, "Only your own messages can be changed.")
	}
	if edit.Content.File != nil {
		before := c.contentOf(ctx, edit.Portal.MXID, edit.EditTarget.MXID)
		if before == nil || before.File == nil || before.File.URL != edit.Content.File.URL {
			return refuseChange(errOtherFile, "Only the caption of a file can be changed, not the file. Please delete the message and send the new file.")
		}
	}
	original, err := c.interop.Outgoing(ctx, target.id)
	if err != nil {
		return fmt.Errorf("failed to look for the message that is changed: %w", err)
	}
	message, err := portal.EditToInterop(edit.Content, target.id, target.jid, original, time.UnixMilli(edit.Event.Timestamp))
	if err != nil {
		return err
	}
	return c.sendChange(ctx, edit.Event, isEdit, target.jid, message)
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI: a person has one reaction for each message.
func (c *Client) PreHandleMatrixReaction(_ context.Context, reaction *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	return bridgev2.MatrixReactionPreResponse{
		SenderID: c.self, Emoji: reaction.Content.RelatesTo.Key, MaxReactions: 1,
	}, nil
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI. A certain reaction to the notice about a file that
// could not be had is meant for us.
func (c *Client) HandleMatrixReaction(ctx context.Context, reaction *bridgev2.MatrixReaction) (*mxdatabase.Reaction, error) {
	emoji := reaction.Content.RelatesTo.Key
	if portal.IsUnfetched([]*mxdatabase.Message{reaction.TargetMessage}) && strings.HasPrefix(emoji, portal.RetryEmoji) {
		c.retryInBackground(reaction.TargetMessage.ID, reaction.Portal.PortalKey)
		return &mxdatabase.Reaction{}, nil
	}
	target, err := c.changeTarget(reaction.TargetMessage.ID)
	if err != nil {
		return nil, err
	} else if ours, err := c.agreesByReaction(ctx, reaction, target); ours || err != nil {
		return &mxdatabase.Reaction{}, err
	} else if target.direction == portal.FromBridge {
		return nil, refuseChange(errNotSent, "This is a notice of the bridge, which your contact does not see.")
	}
	message, err := portal.ReactionToInterop(
		target.id, target.direction == portal.FromUser, target.jid, emoji, time.UnixMilli(reaction.Event.Timestamp))
	if err != nil {
		return nil, err
	}
	return &mxdatabase.Reaction{}, c.sendChange(ctx, reaction.Event, isReaction, target.jid, message)
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (c *Client) HandleMatrixReactionRemove(ctx context.Context, removal *bridgev2.MatrixReactionRemove) error {
	target, err := c.changeTarget(removal.TargetReaction.MessageID)
	if err != nil {
		return err
	}
	if target.direction == portal.FromBridge {
		return nil
	} else if ours, err := c.isRetry(ctx, removal.TargetReaction); ours || err != nil {
		return err
	}
	message, err := portal.ReactionToInterop(
		target.id, target.direction == portal.FromUser, target.jid, "", time.UnixMilli(removal.Event.Timestamp))
	if err != nil {
		return err
	}
	return c.sendChange(ctx, removal.Event, isRedaction, target.jid, message)
}

// isRetry tells whether a reaction was meant for the bridge, and not for the contact.
func (c *Client) isRetry(ctx context.Context, reaction *mxdatabase.Reaction) (bool, error) {
	if !strings.HasPrefix(reaction.Emoji, portal.RetryEmoji) {
		return false, nil
	}
	row, err := c.network.bridge.DB.Message.GetPartByID(ctx, reaction.Room.Receiver, reaction.MessageID, reaction.MessagePartID)
	if err != nil {
		return false, fmt.Errorf("failed to look for the message of a reaction: %w", err)
	}
	return row != nil && portal.IsUnfetched([]*mxdatabase.Message{row}), nil
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI.
func (c *Client) HandleMatrixMessageRemove(ctx context.Context, removal *bridgev2.MatrixMessageRemove) error {
	target, err := c.changeTarget(removal.TargetMessage.ID)
	switch {
	case err != nil:
		return err
	case target.direction == portal.FromBridge:
		return nil
	case target.direction == portal.FromContact:
		return refuseChange(errNotOwn, "Your contact's message is deleted here only: people can delete only their own messages for everyone.")
	case time.Since(removal.TargetMessage.Timestamp) > portal.DeleteMaxAge:
		return refuseChange(errTooOld, textDeleteTooOld(c.gatekeeperName()))
	}
	return c.sendChange(ctx, removal.Event, isRedaction, target.jid, portal.DeleteToInterop(target.id, target.jid))
}

// quote is what our user's message answers; nil if it answers nothing that the contact knows.
func (c *Client) quote(ctx context.Context, msg *bridgev2.MatrixMessage) *portal.Quote {
	if msg.ReplyTo == nil {
		return nil
	}
	direction, _, messageID, err := portal.ParseMessageID(msg.ReplyTo.ID)
	if err != nil || direction == portal.FromBridge {
		return nil
	}
	_, author, err := contactJID(msg.Portal.PortalKey)
	if err != nil {
		return nil
	}
	if direction == portal.FromUser {
		author = c.enlistment.JID
	}
	content := c.contentOf(ctx, msg.Portal.MXID, msg.ReplyTo.MXID)
	return &portal.Quote{ID: messageID, Participant: author, Message: portal.QuoteOf(content, event.EventMessage)}
}

// timerOf is how long messages stay in the chat, 0 for ever.
func timerOf(chat *bridgev2.Portal) time.Duration {
	if chat.Disappear.Type == event.DisappearingTypeNone {
		return 0
	}
	return chat.Disappear.Timer
}
