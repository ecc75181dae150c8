package interop

import (
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// handleNotification takes in what the gatekeeper tells about contacts and about our own keys.
func (c *connection) handleNotification(node *waBinary.Node) {
	from := jidAttr(node, "from")
	contact := from.ToNonAD()
	switch attr(node, "type") {
	case "encrypt":
		if count := child(node, "count"); count != nil && from.User == "" {
			c.preKeysAreLow(max(0, intAttr(count, "value")))
		} else if child(node, "identity") != nil && isContact(from) {
			if err := c.dropSession(from); err != nil {
				c.close(err) // the notification comes again
				return
			}
			c.run.devices.forget(contact)
		}
	case "devices":
		c.run.devices.forget(contact)
	case "interop":
		if child(node, "reachable") != nil && isContact(from) {
			c.queueReachable(node, contact)
			return
		}
	case "account_sync":
		if child(node, "blocklist") != nil {
			c.run.report(&BlocklistChanged{})
		}
	case "picture":
		if isContact(from) {
			event := &ContactChanged{Contact: contact}
			c.run.queues.add(contact, job{run: func() { c.run.tell(event) }})
		}
	}
	c.acknowledge(node)
}

// preKeysAreLow uploads prekeys beside everything else, unless enough notifications wait already that say the same.
func (c *connection) preKeysAreLow(left int) {
	select {
	case c.run.toldLow <- struct{}{}:
	default:
		return
	}
	c.run.spawn(func() {
		defer func() { <-c.run.toldLow }()
		if err := c.topUpPreKeys(c.run.ctx, left); err != nil {
			c.run.log.Warn().Err(err).Msg("Failed to upload prekeys, trying again at the next login")
		}
	})
}

// dropSession forgets the session with a device whose identity key is said to have changed, so that the next message
// fetches the new key. Whether the key did change is seen then, and told then: the gatekeeper's word alone is no event,
// or everybody would be warned twice.
func (c *connection) dropSession(device types.JID) error {
	sessions := c.run.client.sessions
	address := AddressOf(device)
	held := sessions.hold(address)
	defer held.release()
	return held.delete(c.run.handling, address)
}
