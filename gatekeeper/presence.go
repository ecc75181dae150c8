package gatekeeper

import (
	"unicode/utf8"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// maxWatched is how many accounts one connection may watch.
const maxWatched = 256

// handlePresence takes the user's push name and presence, or a wish to hear of somebody else's.
func (c *session) handlePresence(node *waBinary.Node) {
	switch kind := text(node, "type"); kind {
	case "available", "unavailable", "":
		if name := text(node, "name"); name != "" {
			c.setName(name)
		}
		if kind == "" {
			kind = "available"
		}
		c.available = kind == "available"
		c.note(state.Saw{Kind: "presence " + kind})
		c.announcePresence(kind)
	case "subscribe":
		c.watchPresence(node)
	}
}

// setName changes the push name, which goes out with the user's messages.
func (c *session) setName(name string) {
	self, err := c.self()
	if err != nil || self.Name == name || len(name) > maxName || !utf8.ValidString(name) {
		return
	}
	if err = c.server.state.SetName(c.ctx, self.JID, name); err != nil {
		c.log.Err(err).Msg("Failed to store the push name")
	}
	c.server.directory.forget(self.JID)
}

func (c *session) watchPresence(node *waBinary.Node) {
	self, to := c.correspondents(node)
	if to == nil || to.blocked[self.JID] {
		return
	}
	c.server.hub.watch(c, to.JID)
	kind := "unavailable"
	if len(c.server.hub.of(to)) > 0 {
		kind = "available"
	}
	c.tell(presenceOf(to, c.partner, kind))
	c.note(state.Saw{Kind: "presence subscribe", To: wire.FormatJID(to.JID)})
}

// announcePresence tells everybody who watches the user.
func (c *session) announcePresence(kind string) {
	self, err := c.server.directory.find(c.server.background, c.device)
	if err != nil {
		return
	}
	for _, watcher := range c.server.hub.watching(self.JID) {
		watcher.tell(presenceOf(self, watcher.partner, kind))
	}
}

func presenceOf(about *user, partner bool, kind string) waBinary.Node {
	attrs := waBinary.Attrs{"from": about.as(partner, 0)}
	if kind == "unavailable" {
		attrs["type"] = kind
	}
	return waBinary.Node{Tag: "presence", Attrs: attrs}
}
