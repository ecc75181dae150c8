package homeserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// notBridged is what the user reads when encryption could not be turned on.
const notBridged = "Encryption could not be turned on in this room, so it is not used for the chat. " +
	"Please invite me to a room with encryption, or write start-chat to the bridge's bot."

var errNotBridged = errors.New("encryption could not be turned on, the room is not used")

// HandleNewlyBridgedRoom implements bridgev2.MatrixConnectorWithPostRoomBridgeHandling: a room that a user made and
// invited a contact to becomes encrypted, or is given up as a portal again.
func (c *Connector) HandleNewlyBridgedRoom(ctx context.Context, room id.RoomID) error {
	members, err := c.Bot.Members(ctx, room)
	if err == nil {
		err = c.encryptRoom(ctx, room)
	}
	if err == nil {
		return nil
	}
	log := zerolog.Ctx(ctx)
	log.Err(err).Stringer("room_id", room).Msg("A room cannot be used for a chat")
	portal, err := c.Bridge.GetPortalByMXID(ctx, room)
	if err != nil {
		return fmt.Errorf("failed to look for the portal: %w", err)
	} else if portal != nil {
		if err = portal.RemoveMXID(ctx); err != nil {
			return fmt.Errorf("failed to take the room off the portal: %w", err)
		}
	}
	if members != nil {
		c.leaveRoom(ctx, room, members)
	}
	return errNotBridged
}

func (c *Connector) encryptRoom(ctx context.Context, room id.RoomID) error {
	if encrypted, err := c.isEncrypted(ctx, room); encrypted || err != nil {
		return err
	}
	_, err := c.Bot.SendStateEvent(ctx, room, event.StateEncryption, "", &event.Content{
		Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1},
	})
	if err != nil {
		return fmt.Errorf("failed to turn encryption on: %w", err)
	}
	c.encryptedRooms.Store(room, struct{}{})
	return nil
}

// leaveRoom says why and takes the contact and the bot out of the room.
func (c *Connector) leaveRoom(ctx context.Context, room id.RoomID, members *mautrix.RespMembers) {
	log := zerolog.Ctx(ctx)
	content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: notBridged}}
	if _, err := c.BotIntent().SendMessage(ctx, room, event.EventMessage, content, nil); err != nil {
		log.Err(err).Stringer("room_id", room).Msg("Failed to say why a room is not used")
	}
	for _, member := range members.Chunk {
		user := id.UserID(member.GetStateKey())
		if !c.Bridge.IsGhostMXID(user) {
			continue
		}
		if _, err := c.AS.Intent(user).LeaveRoom(ctx, room); err != nil {
			log.Err(err).Stringer("room_id", room).Stringer("user_id", user).Msg("Failed to leave a room")
		}
	}
	if _, err := c.Bot.LeaveRoom(ctx, room); err != nil {
		log.Err(err).Stringer("room_id", room).Msg("Failed to leave a room as the bot")
	}
}

// Gone tells whether a failed request means that the bot is no longer in the room or that the room does not exist, so
// that no try later can help. It asks the homeserver.
func (c *Connector) Gone(ctx context.Context, room id.RoomID, err error) bool {
	if !errors.Is(err, mautrix.MForbidden) && !errors.Is(err, mautrix.MNotFound) {
		return false
	}
	var content event.MemberEventContent
	asked := c.Bot.Client.StateEvent(ctx, room, event.StateMember, c.Bot.UserID.String(), &content)
	if asked == nil {
		return content.Membership != event.MembershipJoin
	}
	return errors.Is(asked, mautrix.MForbidden) || errors.Is(asked, mautrix.MNotFound)
}
