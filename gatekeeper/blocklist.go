package gatekeeper

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// maxBlocked is how many contacts one account may block: the list has to fit into a stanza.
const maxBlocked = 1000

// handleBlocklistGet returns whom the user blocked.
func (c *session) handleBlocklistGet(*waBinary.Node) ([]waBinary.Node, error) {
	blocked, err := c.server.state.Blocklist(c.ctx, c.device)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	items := make([]waBinary.Node, 0, len(blocked))
	for _, contact := range blocked {
		address := contact
		if found, err := c.server.directory.find(c.ctx, contact); err == nil {
			address = found.as(c.partner, 0)
		} else if !errors.Is(err, state.ErrUnknown) {
			return nil, err
		}
		hash.Write([]byte(wire.FormatJID(contact)))
		items = append(items, waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"jid": address}})
	}
	dhash := base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:8])
	return []waBinary.Node{{Tag: "list", Attrs: waBinary.Attrs{"dhash": dhash}, Content: items}}, nil
}

// handleBlocklistSet blocks or unblocks one contact and returns the list that results.
func (c *session) handleBlocklistSet(iq *waBinary.Node) ([]waBinary.Node, error) {
	item := child(iq, "item")
	contact, ok := jid(item, "jid")
	action := text(item, "action")
	if !ok || action != "block" && action != "unblock" {
		return nil, errBadRequest
	}
	self, err := c.self()
	if err != nil {
		return nil, err
	}
	found, err := c.server.directory.find(c.ctx, contact)
	if errors.Is(err, state.ErrUnknown) {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	}
	if action == "block" && len(self.blocked) >= maxBlocked {
		return nil, errBadRequest
	}
	if err = c.server.state.SetBlocked(c.ctx, self.JID, found.JID, action == "block"); err != nil {
		return nil, err
	}
	c.server.directory.forget(self.JID)
	return c.handleBlocklistGet(iq)
}
