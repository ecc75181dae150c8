package connector

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"postern/portal"
	"postern/puppet"
)

// unusedContacts is a value that stands while there may be contacts whom nobody writes to any more. bridgev2 has them in
// memory and counts on their rows, so these are deleted at the next start.
const unusedContacts = "erase.unused_contacts"

// eraseLogin ends the chats of a login whose user leaves, and erases all that bridgev2 stores about them, and the login
// itself. It can be repeated until it has worked.
func (n *Network) eraseLogin(ctx context.Context, login networkid.UserLoginID) error {
	keys, err := n.records.ChatKeys(ctx, login)
	if err != nil {
		return err
	}
	if err = n.kv.Set(ctx, unusedContacts, []byte{1}); err != nil {
		return err
	}
	for _, key := range keys {
		if err = n.eraseChat(ctx, key); err != nil {
			return err
		}
	}
	if self, err := portal.OwnUserID(login); err == nil {
		n.forgetContact(ctx, self)
	}
	if err = n.deleteLogin(ctx, login); err != nil {
		return err
	}
	if n.MediaEraser != nil {
		if err = n.MediaEraser.ForgetMedia(ctx, string(login)); err != nil {
			return fmt.Errorf("failed to erase hosted files: %w", err)
		}
	}
	return nil
}

// eraseChat ends a chat: what was to disappear is deleted, a notice says that it has ended, the contact and the bot leave, and
// the rows go.
func (n *Network) eraseChat(ctx context.Context, key networkid.PortalKey) error {
	chat, err := n.bridge.GetExistingPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("failed to load a chat: %w", err)
	} else if chat == nil {
		return nil
	}
	if chat.MXID != "" {
		if err = n.endRoom(ctx, chat); err != nil {
			return err
		}
	}
	if err = chat.Delete(ctx); err != nil {
		return fmt.Errorf("failed to erase a chat: %w", err)
	}
	if ctx.Err() != nil {
		return ctx.Err() // bridgev2 does nothing and says nothing then
	}
	n.forgetContact(ctx, networkid.UserID(key.ID))
	return nil
}

func (n *Network) endRoom(ctx context.Context, chat *bridgev2.Portal) error {
	disappearing, err := n.records.Disappearing(ctx, chat.MXID)
	if err != nil {
		return err
	}
	for _, message := range disappearing { // nobody would be there when their time comes
		if err = n.expiry.redact(ctx, chat.MXID, message); err != nil && failureKind(err) == failureWait {
			return fmt.Errorf("failed to delete a message that was to disappear: %w", err)
		}
	}
	if n.OnLeave != LeaveClose {
		if err = n.sayEnded(ctx, chat); err != nil && failureKind(err) == failureWait {
			return fmt.Errorf("failed to say in a room that the chat has ended: %w", err)
		} else if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Stringer("room_id", chat.MXID).Msg("The homeserver refuses a notice in a room that is left")
		}
	}
	if err = n.Matrix.LeaveRoom(ctx, chat.MXID, n.OnLeave == LeaveClose); err != nil {
		return err
	}
	return n.Matrix.ForgetRoom(ctx, chat.MXID)
}

// sayEnded is repeated after a kill without a second notice: the message is named.
func (n *Network) sayEnded(ctx context.Context, chat *bridgev2.Portal) error {
	gatekeeper, _, err := portal.ParseLoginID(chat.Receiver)
	if err != nil {
		return err
	}
	content := &event.Content{Parsed: &event.MessageEventContent{
		MsgType: event.MsgNotice, Body: textChatEnded(n.gatekeeperName(gatekeeper)), Mentions: &event.Mentions{},
	}}
	_, err = n.Matrix.BotIntent().SendMessage(ctx, chat.MXID, event.EventMessage, content, &bridgev2.MatrixSendExtra{
		MessageMeta: &mxdatabase.Message{ID: "ended", Room: chat.PortalKey},
	})
	return err
}

// deleteLogin deletes the login and its space.
func (n *Network) deleteLogin(ctx context.Context, id networkid.UserLoginID) error {
	login, err := n.bridge.GetExistingUserLoginByID(ctx, id)
	if err != nil {
		return fmt.Errorf("failed to load a login: %w", err)
	} else if login == nil {
		return nil
	}
	if space := login.SpaceRoom; space != "" {
		if err = n.Matrix.LeaveRoom(ctx, space, true); err != nil {
			return err
		} else if err = n.Matrix.ForgetRoom(ctx, space); err != nil {
			return err
		}
	}
	// Its rooms are left by now. bridgev2 does not say whether it worked.
	login.Delete(ctx, status.BridgeState{StateEvent: status.StateLoggedOut}, bridgev2.DeleteOpts{BlockingCleanup: true})
	if left, err := n.bridge.DB.UserLogin.GetByID(ctx, id); err != nil {
		return fmt.Errorf("failed to look if a login is deleted: %w", err)
	} else if left != nil {
		return errLoginLeft
	}
	return nil
}

// errLoginLeft: the database did not delete a login.
var errLoginLeft = errors.New("failed to delete a login")

// forgetContact erases name, picture and encryption keys of a contact whom no user of the bridge has a chat with any more. Their
// row follows at the next start.
func (n *Network) forgetContact(ctx context.Context, contact networkid.UserID) {
	log := zerolog.Ctx(ctx)
	defer n.ghosts.WithLock(contact)()
	if chats, err := n.records.ChatsWith(ctx, contact); err != nil || chats > 0 {
		return
	}
	n.names.Delete(contact)
	err := n.changeProfile(ctx, contact, func(ghost *bridgev2.Ghost) error {
		ghost.Name, ghost.NameSet = "", false
		ghost.AvatarID, ghost.AvatarHash, ghost.AvatarMXC, ghost.AvatarSet = "", [32]byte{}, "", false
		ghost.Identifiers, ghost.ExtraProfile, ghost.ContactInfoSet = nil, nil, false
		ghost.Metadata = puppet.NewMetadata()
		return n.bridge.DB.Ghost.Update(ctx, ghost.Ghost)
	})
	if err != nil {
		log.Err(err).Msg("Failed to forget the name of a contact")
	}
	if err = n.Matrix.ForgetDevice(ctx, contact); err != nil {
		log.Err(err).Msg("Failed to forget the encryption keys of a contact")
	}
}

// eraseUnusedContacts deletes contacts whom nobody writes to any more. bridgev2 must not have begun.
func (n *Network) eraseUnusedContacts(ctx context.Context) error {
	if set, err := n.kv.Get(ctx, unusedContacts); err != nil || set == nil {
		return err
	}
	if err := n.Matrix.ForgetLeftRooms(ctx); err != nil {
		return err
	}
	unused, err := n.records.UnusedContacts(ctx)
	if err != nil {
		return err
	}
	for _, contact := range unused {
		if err = n.Matrix.ForgetContact(ctx, contact); err != nil {
			return err
		} else if err = n.records.EraseContact(ctx, contact); err != nil {
			return err
		}
	}
	return n.kv.Delete(ctx, unusedContacts)
}
