package connector

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/bridge/outbound"
	"postern/interop"
	"postern/portal"
	"postern/puppet"
)

// pictureTimeout bounds the question for a picture, which holds up the first message of a new contact.
const pictureTimeout = 5 * time.Second

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
	data, err := c.network.pictures.Fetch(ctx, c.gatekeeper, picture)
	if err != nil {
		return nil, err
	}
	return data, outbound.CheckPicture(data)
}

// introduce gives a contact whose first message this is a name and a picture before the message is shown. For all other
// messages it costs a look into a map.
func (c *Client) introduce(ctx context.Context, contact networkid.UserID, info *interop.MessageInfo) {
	if _, known := c.network.names.Load(contact); known {
		return
	}
	if _, err := c.network.bridge.GetGhostByID(ctx, contact); err != nil { // which makes it if there is none
		zerolog.Ctx(ctx).Err(err).Msg("Failed to load a contact")
		return
	}
	defer c.network.ghosts.WithLock(contact)()
	err := c.network.changeProfile(ctx, contact, func(ghost *bridgev2.Ghost) error {
		if ghost.Name == "" {
			profile := &puppet.Profile{JID: info.Chat, PushName: info.PushName}
			profile.Recall(ghost.Metadata)
			c.addPicture(ctx, profile)
			ghost.UpdateInfo(ctx, profile.UserInfo())
		}
		known := &puppet.Profile{}
		known.Recall(ghost.Metadata)
		c.network.names.Store(contact, known.PushName)
		return nil
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to give a contact a name and a picture")
	}
}

// updateName gives the contact the name that came with a message, if that is a new one. It comes after the message, which
// need not wait for that.
func (c *Client) updateName(ctx context.Context, contact networkid.UserID, info *interop.MessageInfo) {
	if info.PushName == "" {
		return
	}
	name := puppet.SafeName(info.PushName)
	if known, ok := c.network.names.Load(contact); !ok || known == name {
		return
	}
	if c.note(ctx, profileNews{contact: contact, name: info.PushName}) {
		c.network.names.Store(contact, name)
	}
}

// pictureChanged has a contact's picture fetched again, if anybody here has a chat with them.
func (c *Client) pictureChanged(ctx context.Context, jid types.JID) {
	if contact, err := portal.UserID(c.gatekeeper.ID, jid); err == nil {
		c.note(ctx, profileNews{contact: contact, picture: true})
	}
}

// refreshContact brings a contact's profile up to date.
func (c *Client) refreshContact(ctx context.Context, news profileNews) {
	_, jid, err := portal.ParseUserID(news.contact)
	if err != nil {
		return
	}
	profile := &puppet.Profile{JID: jid, PushName: news.name}
	if news.picture {
		c.addPicture(ctx, profile)
	}
	defer c.network.ghosts.WithLock(news.contact)()
	err = c.network.changeProfile(ctx, news.contact, func(ghost *bridgev2.Ghost) error {
		profile.Recall(ghost.Metadata)
		ghost.UpdateInfo(ctx, profile.UserInfo())
		return nil
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to change a contact's profile")
	}
}

// contactName is what users call a contact in a sentence.
func (c *Client) contactName(ctx context.Context, contact networkid.UserID) string {
	defer c.network.profiles.use(contact)()
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
