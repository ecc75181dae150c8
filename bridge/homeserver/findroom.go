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

// ErrNotAlone: somebody else is in the room, too.
var ErrNotAlone = errors.New("a user is not alone with the bot in the room")

// ChatAlone returns the user's own room with the bot, if it is encrypted and nobody else can read in it: for what nobody else may see. It
// makes the room if there is none. Errors: [ErrNotInRoom], [ErrNotEncrypted], [ErrNotAlone], and what may heal.
func (c *Connector) ChatAlone(ctx context.Context, user id.UserID) (id.RoomID, error) {
	bridgeUser, err := c.Bridge.GetUserByMXID(ctx, user)
	if err != nil {
		return "", fmt.Errorf("failed to load the user: %w", err)
	}
	room, err := bridgeUser.GetManagementRoom(ctx)
	if err != nil {
		return "", fmt.Errorf("failed to find the user's room with the bot: %w", err)
	}
	if room, err = c.FindRoom(ctx, room.String()); err != nil {
		return "", err
	}
	members, err := c.Bot.Client.Members(ctx, room)
	if err != nil {
		return "", fmt.Errorf("failed to ask who is in the room: %w", err)
	}
	for _, member := range members.Chunk {
		here := member.Content.Raw["membership"] == string(event.MembershipJoin) || member.Content.Raw["membership"] == string(event.MembershipInvite)
		if name := id.UserID(member.GetStateKey()); here && name != user && name != c.Bot.UserID {
			return "", ErrNotAlone
		}
	}
	return room, nil
}

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
