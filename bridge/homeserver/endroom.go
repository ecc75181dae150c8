package homeserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// LeaveRoom takes the contacts and the bot out of a room that is not used any more, and with everybody also all other members.
// The bot goes last, so it can be repeated until it has worked: nil means that the bot is out. What the homeserver refuses for
// one member, such as to remove an admin, does not keep it from the others.
func (c *Connector) LeaveRoom(ctx context.Context, room id.RoomID, everybody bool) error {
	members, err := c.Bot.JoinedMembers(ctx, room)
	if refused(err) {
		return nil // the bot is not in the room, or there is no room
	} else if err != nil {
		return fmt.Errorf("failed to ask who is in a room: %w", err)
	}
	for member := range members.Joined {
		switch {
		case member == c.Bot.UserID:
			continue
		case c.Bridge.IsGhostMXID(member):
			_, err = c.AS.Intent(member).LeaveRoom(ctx, room)
		case everybody:
			_, err = c.Bot.KickUser(ctx, room, &mautrix.ReqKickUser{UserID: member, Reason: "The chat has ended"})
		}
		if refused(err) {
			zerolog.Ctx(ctx).Warn().Err(err).Stringer("room_id", room).Stringer("user_id", member).Msg("Failed to take someone out of a room")
		} else if err != nil {
			return fmt.Errorf("failed to take someone out of a room: %w", err)
		}
	}
	if _, err = c.Bot.LeaveRoom(ctx, room); err != nil && !refused(err) {
		return fmt.Errorf("failed to leave a room: %w", err)
	}
	return nil
}

// Disinvite takes an invitation back, or removes a user who is in the room. What the homeserver refuses, because the user or
// the bot is not there, counts as done.
func (c *Connector) Disinvite(ctx context.Context, room id.RoomID, user id.UserID) error {
	_, err := c.Bot.KickUser(ctx, room, &mautrix.ReqKickUser{UserID: user})
	if err != nil && !refused(err) {
		return fmt.Errorf("failed to take an invitation back: %w", err)
	}
	return nil
}

// rememberedRooms is how many rooms are known as forgotten until the news comes that the bot is not in them any more.
const rememberedRooms = 1024

// ForgetRoom erases what is stored of a room that the bot left: the keys that its messages can be read with, and its members. The
// homeserver's news of who left it comes after that, and is not stored.
func (c *Connector) ForgetRoom(ctx context.Context, room id.RoomID) error {
	c.forgotten.add(room)
	c.encryptedRooms.Delete(room)
	for _, table := range []string{"mx_user_profile", "mx_room_state"} {
		if _, err := c.StateStore.Exec(ctx, "DELETE FROM "+table+" WHERE room_id = $1", room); err != nil {
			return fmt.Errorf("failed to forget a room: %w", err)
		}
	}
	return c.crypto.forgetRoom(ctx, room)
}

// ForgetContact erases that a contact has an account on the homeserver, which keeps it. It is found again when it is needed.
func (c *Connector) ForgetContact(ctx context.Context, contact networkid.UserID) error {
	for _, table := range []string{"mx_user_profile", "mx_registrations"} {
		if _, err := c.StateStore.Exec(ctx, "DELETE FROM "+table+" WHERE user_id = $1", c.FormatGhostMXID(contact)); err != nil {
			return fmt.Errorf("failed to forget a contact's account: %w", err)
		}
	}
	return c.ForgetDevice(ctx, contact)
}

// ForgetDevice erases the encryption device of a contact whom nobody has a chat with: its keys here, and at the homeserver the
// device. The contact's identity is the same when there is another device one day.
func (c *Connector) ForgetDevice(ctx context.Context, contact networkid.UserID) error {
	if c.crypto.bot == nil {
		return nil // never started
	}
	return c.crypto.puppets.forget(ctx, c.FormatGhostMXID(contact))
}

// isOldNews tells whether an event says that someone left a room that is forgotten.
func (c *Connector) isOldNews(evt *event.Event) bool {
	content, ok := evt.Content.Parsed.(*event.MemberEventContent)
	return ok && (content.Membership == event.MembershipLeave || content.Membership == event.MembershipBan) && c.forgotten.has(evt.RoomID)
}

// ForgetLeftRooms erases what is stored of rooms that the bot left, if the program ended before the news of that came: the next run
// stores it like any other.
func (c *Connector) ForgetLeftRooms(ctx context.Context) error {
	_, err := c.StateStore.Exec(ctx, `DELETE FROM mx_user_profile WHERE room_id IN (
		SELECT room_id FROM mx_user_profile WHERE user_id = $1 AND membership IN ('leave', 'ban'))`, c.Bot.UserID)
	if err != nil {
		return fmt.Errorf("failed to forget rooms that the bot left: %w", err)
	}
	return nil
}

// refused tells an answer that will be the same the next time from a failure that waiting may heal.
func refused(err error) bool {
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) || answer.Response == nil || errors.Is(err, mautrix.MUnknownToken) {
		return false
	}
	status := answer.Response.StatusCode
	return status >= 400 && status < 500 && status != 429
}

// forgetRoom erases the keys of all messages of a room, whoever of us sent or got them.
func (m *megolm) forgetRoom(ctx context.Context, room id.RoomID) error {
	if m.bot == nil {
		return nil // never started
	}
	for _, table := range []string{"crypto_megolm_outbound_session", "crypto_megolm_inbound_session"} {
		if _, err := m.bot.store.DB.Exec(ctx, "DELETE FROM "+table+" WHERE room_id = $1", room); err != nil {
			return fmt.Errorf("failed to erase the keys of a room: %w", err)
		}
	}
	return m.connector.missing.store.DeleteRoom(ctx, room)
}
