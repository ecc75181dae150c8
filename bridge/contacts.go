package bridge

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/interop"
	"postern/portal"
	"postern/puppet"
)

const (
	// pictureTimeout bounds the question for a picture, which holds up the first message of a new contact.
	pictureTimeout = 5 * time.Second
	// pictureFetchTimeout bounds loading it.
	pictureFetchTimeout = 20 * time.Second
)

// GetUserInfo implements bridgev2.NetworkAPI: how a contact looks, from what is stored and from their picture.
func (c *Client) GetUserInfo(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	if ghost.ID == c.self {
		return nil, nil // the user's own ghost is in no room
	}
	gatekeeper, jid, err := portal.ParseUserID(ghost.ID)
	if err != nil {
		return nil, err
	}
	profile := &puppet.Profile{JID: jid}
	profile.Recall(ghost.Metadata)
	if c.gatekeeper != nil && c.gatekeeper.ID == gatekeeper {
		c.addPicture(ctx, profile)
	}
	return profile.UserInfo(), nil
}

// addPicture asks the gatekeeper for the contact's picture. Without an answer the ghost keeps the one it has.
func (c *Client) addPicture(ctx context.Context, profile *puppet.Profile) {
	if c.interop == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pictureTimeout)
	defer cancel()
	picture, err := c.interop.Picture(ctx, profile.JID)
	if err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("Failed to ask for a contact's picture")
		return
	}
	profile.Picture, profile.PictureKnown, profile.Fetch = picture, true, c.fetchPicture
}

func (c *Client) fetchPicture(ctx context.Context, picture *interop.Picture) ([]byte, error) {
	return c.network.pictures.fetch(ctx, c.gatekeeper, picture)
}

// updateName gives the contact the name that came with a message, if that is a new one. For all other messages it
// costs a look into bridgev2's cache.
func (c *Client) updateName(ctx context.Context, contact networkid.UserID, info *interop.MessageInfo) {
	ghost, err := c.network.bridge.GetGhostByID(ctx, contact)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to load a contact")
		return
	}
	defer c.network.ghosts.WithLock(contact)()
	if !puppet.NameChanged(ghost.Metadata, info.PushName) {
		return
	}
	profile := &puppet.Profile{JID: info.Chat, PushName: info.PushName}
	profile.Recall(ghost.Metadata)
	c.addPicture(ctx, profile)
	ghost.UpdateInfo(ctx, profile.UserInfo())
}

// refreshContact fetches a contact's profile again.
func (c *Client) refreshContact(ctx context.Context, jid types.JID) {
	contact, err := portal.UserID(c.gatekeeper.ID, jid)
	if err != nil {
		return
	}
	ghost, err := c.network.bridge.GetExistingGhostByID(ctx, contact)
	if err != nil || ghost == nil {
		return // nobody here has a chat with them
	}
	info, err := c.GetUserInfo(ctx, ghost)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to refresh a contact")
		return
	}
	defer c.network.ghosts.WithLock(contact)()
	ghost.UpdateInfo(ctx, info)
}

// contactName is what users call a contact in a sentence.
func (c *Client) contactName(ctx context.Context, contact networkid.UserID) string {
	ghost, err := c.network.bridge.GetGhostByID(ctx, contact)
	if err == nil && ghost.Name != "" {
		return ghost.Name
	}
	_, jid, err := portal.ParseUserID(contact)
	if err != nil {
		return "your contact"
	}
	return (&puppet.Profile{JID: jid}).Name()
}

// isContact tells whether a JID is a person's at a gatekeeper, rather than that of another partner's user.
func isContact(jid types.JID) bool { return jid.Server != types.InteropServer }
