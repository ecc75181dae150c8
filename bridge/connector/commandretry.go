package connector

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

// retryCommand fetches files again that could not be had.
func (n botCommands) retryCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func:           n.retry,
		Name:           portal.RetryCommand,
		RequiresPortal: true,
		RequiresLogin:  true,
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionChats,
			Description: "Fetch files again that could not be had: the one whose notice this answers, or all of the chat",
		},
	}
}

func (n botCommands) retry(ce *commands.Event) {
	login, err := ce.Bridge.GetExistingUserLoginByID(ce.Ctx, ce.Portal.Receiver)
	if err != nil || login == nil || login.UserMXID != ce.User.MXID {
		ce.Reply("This is not your chat.")
		return
	}
	client, ok := login.Client.(*Client)
	if !ok || !client.IsLoggedIn() {
		ce.Reply("You are not enlisted any more. Write `login` to the bot first.")
		return
	}
	messages, err := client.unfetchedOf(ce.Ctx, ce.Portal, ce.ReplyTo)
	if err != nil {
		ce.Log.Err(err).Msg("Failed to look for files that could not be had")
		ce.Reply("It did not work: the bridge has a problem. Please try again later.")
		return
	} else if len(messages) == 0 {
		ce.Reply("%s", textRetryFailed(client.gatekeeperName(), 0, errNotWaiting))
		return
	}
	for _, messageID := range messages {
		if err = client.retryFile(ce.Ctx, messageID); err != nil {
			ce.Log.Warn().Err(err).Str(fieldMessage, RawMessageID(messageID)).Msg("A file could not be had again")
			ce.Reply("%s", textRetryFailed(client.gatekeeperName(), client.maxFile(), err))
		}
		if ce.Ctx.Err() != nil {
			return
		}
	}
}

// unfetchedOf returns the messages of a chat whose files could not be had, or the one whose event is given.
func (c *Client) unfetchedOf(ctx context.Context, chat *bridgev2.Portal, about id.EventID) ([]networkid.MessageID, error) {
	if about != "" {
		row, err := c.network.bridge.DB.Message.GetPartByMXID(ctx, about)
		if err != nil {
			return nil, fmt.Errorf("failed to look for a message: %w", err)
		} else if row != nil && row.Room == chat.PortalKey {
			return []networkid.MessageID{row.ID}, nil
		}
	}
	contact, err := portal.Contact(chat.ID)
	if err != nil {
		return nil, err
	}
	return c.allUnfetched(ctx, contact)
}

// allUnfetched returns the newest messages of a contact whose files could not be had.
func (c *Client) allUnfetched(ctx context.Context, contact networkid.UserID) ([]networkid.MessageID, error) {
	names, err := c.unfetched().UnfetchedIDs(ctx, portal.MessageIDPrefix(portal.FromContact, contact), maxRetries)
	if err != nil {
		return nil, err
	}
	ids := make([]networkid.MessageID, len(names))
	for i, name := range names {
		ids[i] = networkid.MessageID(name)
	}
	return ids, nil
}
