package gatekeeper

import (
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// handleChatState tells the devices of the other side that are connected now that somebody types. It is not kept.
func (c *session) handleChatState(node *waBinary.Node) {
	self, to := c.correspondents(node)
	if to == nil || to.blocked[self.JID] {
		return
	}
	var what waBinary.Node
	switch {
	case child(node, "composing").Tag != "":
		what = waBinary.Node{Tag: "composing", Attrs: waBinary.Attrs{}}
		keep(child(node, "composing"), what.Attrs, "media")
	case child(node, "paused").Tag != "":
		what = waBinary.Node{Tag: "paused"}
	default:
		return
	}
	c.note(state.Saw{Kind: "chatstate " + what.Tag, To: wire.FormatJID(to.JID)})
	for _, other := range c.server.hub.of(to) {
		other.tell(waBinary.Node{
			Tag: "chatstate", Attrs: waBinary.Attrs{"from": self.as(other.partner, c.device.Device)}, Content: []waBinary.Node{what},
		})
	}
}
