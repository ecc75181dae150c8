package connector

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/portal"
)

// prepare does what a message needs before it is handed to bridgev2: its files go to the homeserver, and what it answers is
// looked for.
// trouble is why its file cannot be had; err is what has to be tried again.
func (c *Client) prepare(ctx context.Context, msg *remoteMessage) (trouble, err error) {
	files, err := portal.Files(msg.message)
	if err != nil {
		return err, nil
	}
	msg.context.Files = nil
	if len(files) > 0 {
		ctx = c.login.Log.With().Str(fieldMessage, msg.rawID()).Logger().WithContext(ctx)
		done, err := c.isShown(ctx, msg, len(files))
		if err != nil {
			return nil, err
		} else if done {
			msg.shown = true
			return nil, nil
		}
		if msg.context.Files, err = c.storeFiles(ctx, files); err != nil && fileTrouble(err) && ctx.Err() == nil {
			return err, nil
		} else if err != nil {
			return nil, err
		}
		zerolog.Ctx(ctx).Debug().Int("files", len(files)).Msg("The files of a message are at the homeserver")
	}
	msg.context.ReplyTo, err = c.replyTarget(ctx, msg)
	return nil, err
}

// isShown tells whether a message that comes again is in the room with its file, which then need not be fetched. Of a
// message with several files only some may be.
func (c *Client) isShown(ctx context.Context, msg *remoteMessage, files int) (bool, error) {
	existing, err := c.network.bridge.DB.Message.GetAllPartsByID(ctx, msg.key.Receiver, msg.id)
	if err != nil {
		return false, fmt.Errorf("failed to look for a message: %w", err)
	}
	return len(existing) > 0 && !portal.HasPlaceholder(existing) && (files == 1 || portal.IsDeleted(existing)), nil
}

// replyTarget finds the message that this one answers. "" if it answers none, or none that is in the room.
func (c *Client) replyTarget(ctx context.Context, msg *remoteMessage) (networkid.MessageID, error) {
	for _, candidate := range portal.ReplyIDs(msg.message, msg.sender) {
		parts, err := c.network.bridge.DB.Message.GetAllPartsByID(ctx, msg.key.Receiver, candidate)
		if err != nil {
			return "", fmt.Errorf("failed to look for the message that is answered: %w", err)
		}
		if len(parts) > 0 && !portal.IsDeleted(parts) {
			return candidate, nil
		}
	}
	return "", nil
}
