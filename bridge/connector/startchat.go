package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/homeserver"
	"postern/bridge/limits"
	"postern/interop"
	"postern/portal"
	"postern/puppet"
)

// GetChatInfo implements bridgev2.NetworkAPI: a room for the user and the contact, named after the contact.
func (c *Client) GetChatInfo(_ context.Context, chat *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	contact, err := portal.Contact(chat.ID)
	if err != nil {
		return nil, err
	}
	info := c.chatInfo(contact)
	if chat.MessageRequest {
		portal.Opened(info)
	}
	return info, nil
}

// chatInfo describes a room as the user wants it.
func (c *Client) chatInfo(contact networkid.UserID) *bridgev2.ChatInfo {
	info := portal.ChatInfo(contact, nil)
	info.UserLocal = c.userLocal()
	return info
}

// ResolveIdentifier implements bridgev2.IdentifierResolvingNetworkAPI, for the command start-chat and the provisioning
// interface. The identifier is a phone number in international form, as people write it.
func (c *Client) ResolveIdentifier(ctx context.Context, identifier string, begin bool) (*bridgev2.ResolveIdentifierResponse, error) {
	if reason, banned := c.network.suspended.reason(c.login.UserMXID); banned {
		return nil, forbidden(textBanned(reason))
	}
	if !c.IsLoggedIn() {
		return nil, resolveError(c.gatekeeperName(), interop.ErrNotConnected)
	}
	c.reach(ctx)
	contact, err := c.interop.Resolve(ctx, identifier)
	if err == nil && !contact.Reachable {
		if err = interop.ErrNotReachable; begin {
			err = c.reachOut(ctx, contact.JID)
		}
	}
	if err != nil {
		zerolog.Ctx(ctx).Info().Err(err).Msg("A contact cannot be reached")
		return nil, resolveError(c.gatekeeperName(), err)
	}
	if begin {
		if err = c.beginChat(ctx, contact.JID); err != nil {
			return nil, resolveError(c.gatekeeperName(), err)
		}
	}
	return c.resolved(ctx, contact)
}

func (c *Client) resolved(ctx context.Context, contact *interop.Contact) (*bridgev2.ResolveIdentifierResponse, error) {
	user, err := portal.UserID(c.gatekeeper.ID, contact.JID)
	if err != nil {
		return nil, fmt.Errorf("the gatekeeper gave an unusable contact: %w", err)
	}
	ghost, err := c.network.bridge.GetGhostByID(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("failed to load the contact: %w", err)
	}
	profile := &puppet.Profile{JID: contact.JID, Phone: contact.Phone}
	profile.Recall(ghost.Metadata)
	c.addPicture(ctx, profile)
	return &bridgev2.ResolveIdentifierResponse{
		Ghost:    ghost,
		UserID:   user,
		UserInfo: profile.UserInfo(),
		Chat:     &bridgev2.CreateChatResponse{PortalKey: portal.Key(c.login.ID, user), PortalInfo: c.chatInfo(user)},
	}, nil
}

// CreateChatWithGhost implements bridgev2.GhostDMCreatingNetworkAPI, for users who invite a contact to a room, or name
// it by its Matrix ID. If that cannot work, bridgev2 only says that it failed, so the reason is told by the bot.
func (c *Client) CreateChatWithGhost(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.CreateChatResponse, error) {
	gatekeeper, jid, err := portal.ParseUserID(ghost.ID)
	if err != nil || c.gatekeeper == nil || gatekeeper != c.gatekeeper.ID {
		return nil, bridgev2.ErrResolveIdentifierTryNext
	}
	if err = c.checkReachable(ctx, jid); errors.Is(err, interop.ErrNotReachable) {
		err = c.reachOut(ctx, jid)
	}
	if err == nil {
		err = c.beginChat(ctx, jid)
	}
	if err != nil {
		if homeserver.InTransaction(ctx) {
			c.network.tell(ctx, c.login.UserMXID, textResolveFailed(c.gatekeeperName(), err))
		}
		return nil, resolveError(c.gatekeeperName(), err)
	}
	return &bridgev2.CreateChatResponse{PortalKey: portal.Key(c.login.ID, ghost.ID), PortalInfo: c.chatInfo(ghost.ID)}, nil
}

// beginChat lets the user and a contact write to each other. A chat with somebody new counts against the user's day; one with who asked for
// it does not. Errors: [*Error].
func (c *Client) beginChat(ctx context.Context, jid types.JID) error {
	contact, err := c.contacts().Contact(ctx, jid)
	if err == nil && contact.Request == puppet.NeverAsked {
		err = c.network.limits.Take(ctx, c.login.UserMXID, limits.Chats, 1)
	}
	if err != nil {
		return err
	}
	return c.Accept(ctx, jid)
}

// checkReachable asks for those who have a phone number. Others were found in some way before, or their first message
// will tell.
func (c *Client) checkReachable(ctx context.Context, jid types.JID) error {
	if !c.IsLoggedIn() {
		return interop.ErrNotConnected
	}
	if jid.Server != types.DefaultUserServer {
		return nil
	}
	c.reach(ctx)
	contact, err := c.interop.Resolve(ctx, puppet.Phone(jid))
	if err != nil {
		return err
	} else if !contact.Reachable {
		return interop.ErrNotReachable
	}
	return nil
}

// resolveError is what the user reads, in the bot's answer as well as through the provisioning interface.
func resolveError(gatekeeper string, err error) error {
	code, status := mautrix.MUnknown.ErrCode, http.StatusBadGateway
	var limited *limits.Error
	switch {
	case errors.As(err, &limited):
		code, status = mautrix.MLimitExceeded.ErrCode, http.StatusTooManyRequests
	case errors.Is(err, interop.ErrInvalidPhone):
		code, status = mautrix.MInvalidParam.ErrCode, http.StatusBadRequest
	case errors.Is(err, interop.ErrUnknownContact):
		code, status = mautrix.MNotFound.ErrCode, http.StatusNotFound
	case errors.Is(err, interop.ErrNotReachable), errors.Is(err, errPinged), errors.Is(err, interop.ErrTooManyPings):
		code, status = mautrix.MForbidden.ErrCode, http.StatusForbidden
	}
	return bridgev2.RespError{ErrCode: code, Err: textResolveFailed(gatekeeper, err), StatusCode: status}
}
