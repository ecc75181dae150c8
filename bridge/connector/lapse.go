package connector

import (
	"context"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/status"

	"postern/bridge/audit"
	"postern/interop"
)

// lapseBatch is how many waiting messages are loaded at a time.
const lapseBatch = 100

// lapse notes that the gatekeeper does not know the user any more. The messages that still wait are given up beside that,
// by the next run if this one ends before.
func (c *Client) lapse(ctx context.Context) {
	if err := c.network.enlistments.MarkLapsed(ctx, c.enlistment.Account); err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to note that an enlistment has ended")
	}
	c.network.audit.Note(ctx, audit.Lapse, "", audit.About{User: c.login.UserMXID, Gatekeeper: c.gatekeeper.ID})
	c.network.lapsed(c.gatekeeper)
	c.network.Spawn(func(ctx context.Context) { c.giveUpWaiting(c.login.Log.WithContext(ctx)) })
}

// giveUpWaiting tells the senders of messages that wait that they will not be sent. While the homeserver does not take
// that, it is tried again until ctx ends.
func (c *Client) giveUpWaiting(ctx context.Context) {
	for ctx.Err() == nil {
		err := c.giveUpNow(ctx)
		if err == nil {
			return
		}
		zerolog.Ctx(ctx).Err(err).Msg("Failed to give up messages that will not be sent, trying again later")
		pause(ctx, unfinishedRetry)
	}
}

func (c *Client) giveUpNow(ctx context.Context) error {
	store := c.network.Database.AccountStore(c.enlistment.Account)
	for {
		waiting, err := store.PendingMessages(ctx, 0, lapseBatch)
		if err != nil {
			return fmt.Errorf("failed to look for messages that will not be sent: %w", err)
		} else if len(waiting) == 0 {
			return nil
		}
		for _, message := range waiting {
			result := &interop.SendResult{ID: message.ID, Chat: message.Chat, Ref: message.Ref, Err: interop.ErrNotEnlisted}
			if err = c.sendResult(ctx, result); err != nil {
				return fmt.Errorf("failed to tell a user that a message is not sent: %w", err)
			}
			if err = store.SetOutgoingFailed(ctx, message.ID, "enlistment ended"); err != nil {
				return fmt.Errorf("failed to give up a message: %w", err)
			}
		}
	}
}

const stateRestored status.BridgeStateErrorCode = "postern-restored"

// lapsedState is what a user is told whose enlistment has ended, and who may come back.
func (c *Client) lapsedState() status.BridgeState {
	if !c.enlistment.Created.Before(c.network.Restored.Restored) {
		return endedState(c.gatekeeper, interop.ErrNotEnlisted)
	}
	return status.BridgeState{
		StateEvent: status.StateBadCredentials,
		Error:      stateRestored,
		UserAction: status.UserActionRelogin,
		Message: fmt.Sprintf("This bridge was put back from a backup of %s, and cannot use your old keys for %s any more. Please write `login %s` "+
			"to get new ones; your chats go on in the same rooms. What was written since then may be missing: please ask your contacts.",
			c.network.Restored.Made.UTC().Format("2006-01-02 15:04 MST"), c.gatekeeper.Name, c.gatekeeper.ID),
	}
}
