package connector

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/settings"
)

// Quiet chats make no sound. In Matrix that is a push rule of the user's own, which any client can show and change, so the
// bridge needs double puppeting to set it. The other way, to send what contacts write as notices, was turned down: notices
// look like a bot's, and a phone would be woken all the same, because a homeserver cannot see the kind of an encrypted message.

func changeQuiet(ctx context.Context, c *Client, value string) (string, error) {
	puppet := c.login.User.DoublePuppet(ctx)
	if puppet == nil {
		return "But the bridge cannot do it here, because it may not act in your name: please set it in each room's notification settings " +
			"in your client, or ask the administrator for double puppeting.", nil
	} else if value == settings.QuietNew {
		return "", nil // chats that are there stay as they are
	}
	rooms, err := c.rooms(ctx)
	if err != nil {
		return "", err
	}
	until := event.MutedForever
	if value == settings.QuietNone {
		until = bridgev2.Unmuted
	}
	failed := 0
	for _, room := range rooms {
		if err = muteRoom(ctx, puppet, room, until); err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Sprintf("It did not work for %d of %d chats; please try again.", failed, len(rooms)), nil
	}
	return "", nil
}

func muteRoom(ctx context.Context, puppet bridgev2.MatrixAPI, room id.RoomID, until time.Time) error {
	if err := puppet.MuteRoom(ctx, room, until); err != nil {
		return fmt.Errorf("failed to change a room's notifications: %w", err)
	}
	return nil
}

// userLocal is what the setting makes of a new chat; nil leaves it alone.
func (c *Client) userLocal() *bridgev2.UserLocalPortalInfo {
	if c.setting(settings.Quiet) == settings.QuietNone {
		return nil
	}
	return &bridgev2.UserLocalPortalInfo{MutedUntil: &event.MutedForever}
}

// rooms returns the rooms of all chats of the login.
func (c *Client) rooms(ctx context.Context) ([]id.RoomID, error) {
	keys, err := c.network.records.ChatKeys(ctx, c.login.ID)
	if err != nil {
		return nil, err
	}
	var rooms []id.RoomID
	for _, key := range keys {
		room, err := c.room(ctx, key)
		if err != nil {
			return nil, err
		} else if room != "" {
			rooms = append(rooms, room)
		}
	}
	return rooms, nil
}
