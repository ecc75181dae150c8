package connector

import (
	"context"
	"fmt"

	"postern/bridge/settings"
)

// changeSpace makes the space, or takes it away. bridgev2 makes it with the first chat, and asks CustomizePersonalFilteringSpace.
func changeSpace(ctx context.Context, c *Client, value string) (string, error) {
	if value == settings.On {
		return "", c.fillSpace(ctx)
	}
	return "", c.removeSpace(ctx)
}

// fillSpace makes the space and puts all chats into it. Without a chat it is made with the first one.
func (c *Client) fillSpace(ctx context.Context) error {
	keys, err := c.network.records.ChatKeys(ctx, c.login.ID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		chat, err := c.network.bridge.GetExistingPortalByKey(ctx, key)
		if err != nil {
			return fmt.Errorf("failed to load a chat: %w", err)
		} else if chat == nil {
			continue
		}
		place, err := c.network.bridge.DB.UserPortal.GetOrCreate(ctx, c.login.UserLogin, key)
		if err != nil {
			return fmt.Errorf("failed to load a user's chat: %w", err)
		}
		if err = c.login.AddPortalToSpace(ctx, chat, place.CopyWithoutValues()); err != nil {
			return err
		}
	}
	return nil
}

// removeSpace takes everybody out of the space and forgets it. The chats stay where they are.
func (c *Client) removeSpace(ctx context.Context) error {
	space := c.login.SpaceRoom
	if space == "" {
		return nil
	}
	if err := c.network.Matrix.LeaveRoom(ctx, space, true); err != nil {
		return err
	} else if err = c.network.Matrix.ForgetRoom(ctx, space); err != nil {
		return err
	}
	// bridgev2 reads this field under a lock that nobody else can take. A chat that begins at this very moment may put
	// itself into the space that was left, which shows nowhere.
	c.login.SpaceRoom = ""
	if err := c.login.Save(ctx); err != nil {
		return fmt.Errorf("failed to forget a space: %w", err)
	}
	return nil
}
