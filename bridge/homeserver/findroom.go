package homeserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// ErrNotInRoom: the bot is not in a room that it was told to use.
var ErrNotInRoom = errors.New("the bot is not in the room")

// FindRoom returns the room with an id or an alias, into which the bot can write encrypted. The bot accepts an invitation to it.
// Errors: [ErrNotInRoom], [ErrNotEncrypted], and what may heal.
func (c *Connector) FindRoom(ctx context.Context, name string) (id.RoomID, error) {
	room := id.RoomID(name)
	if strings.HasPrefix(name, "#") {
		found, err := c.Bot.Client.ResolveAlias(ctx, id.RoomAlias(name))
		if errors.Is(err, mautrix.MNotFound) {
			return "", fmt.Errorf("%w: there is no room with this alias", ErrNotInRoom)
		} else if err != nil {
			return "", fmt.Errorf("failed to look for the room: %w", err)
		}
		room = found.RoomID
	}
	var member event.MemberEventContent
	err := c.Bot.Client.StateEvent(ctx, room, event.StateMember, c.Bot.UserID.String(), &member)
	if err != nil && !errors.Is(err, mautrix.MForbidden) && !errors.Is(err, mautrix.MNotFound) {
		return "", fmt.Errorf("failed to ask whether the bot is in the room: %w", err)
	}
	if err != nil || member.Membership != event.MembershipJoin {
		if _, err = c.Bot.Client.JoinRoomByID(ctx, room); err != nil {
			return "", fmt.Errorf("%w: %w", ErrNotInRoom, err)
		}
	}
	if encrypted, err := c.isEncrypted(ctx, room); err != nil {
		return "", err
	} else if !encrypted {
		return "", ErrNotEncrypted
	}
	return room, nil
}
