package gatekeeper

import (
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// maxReceiptIDs is how many messages one receipt may be for.
const maxReceiptIDs = 256

// handleReceipt takes a receipt: it removes delivered messages from the mailbox of the device that sends it, and hands
// on to the other side what the other side may know. In this order in the state's queue: first the receipt is stored,
// then the message is removed, so that no crash can lose the receipt alone.
func (c *session) handleReceipt(receipt *waBinary.Node) {
	kind := text(receipt, "type")
	ids := []string{text(receipt, "id")}
	items := child(receipt, "list").GetChildren()
	if len(items) >= maxReceiptIDs {
		return
	}
	for i := range items {
		ids = append(ids, text(&items[i], "id"))
	}
	for _, id := range ids {
		if !validID(id) {
			return
		}
	}
	switch kind {
	case "retry":
		c.forwardRetry(receipt)
	case "", "inactive":
		c.forwardReceipt(receipt, "", ids)
		c.settle("message", "", receipt, ids...)
	case "sender", "peer_msg": // for a copy of what another device of the same user sent
		c.settle("message", "", receipt, ids...)
	case "read", "played":
		if c.readReceipts || !c.partner {
			c.forwardReceipt(receipt, kind, ids)
		}
	}
}

// forwardReceipt puts a receipt into the mailboxes of all devices of the user that it is for. kind is "" for delivered.
func (c *session) forwardReceipt(receipt *waBinary.Node, kind string, ids []string) {
	self, to := c.correspondents(receipt)
	if to == nil || to.JID == self.JID {
		return
	}
	c.note(state.Saw{Kind: spaced("receipt", kind), ID: ids[0], To: wire.FormatJID(to.JID)})
	if to.blocked[self.JID] {
		return
	}
	now := c.server.clock.unix()
	var mail []*state.Mail
	for _, device := range to.devices {
		attrs := waBinary.Attrs{"id": ids[0], "from": self.as(to.IsInterop(), c.device.Device), "type": kind, "t": now}
		node := waBinary.Node{Tag: "receipt", Attrs: attrs}
		if len(ids) > 1 {
			items := make([]waBinary.Node, 0, len(ids)-1)
			for _, id := range ids[1:] {
				items = append(items, waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"id": id}})
			}
			node.Content = []waBinary.Node{{Tag: "list", Content: items}}
		}
		next := c.receiptMail(to, device, ids[0], node)
		if next == nil {
			return
		}
		mail = append(mail, next)
	}
	c.server.state.StoreAsync(nil, mail...)
}

// correspondents returns the sender of a stanza and whom it is for; both are nil if the one may not write to the other.
func (c *session) correspondents(node *waBinary.Node) (self, to *user) {
	address, ok := jid(node, "to")
	if !ok {
		return nil, nil
	}
	self, err := c.self()
	if err != nil {
		return nil, nil
	}
	to, err = c.server.directory.find(c.ctx, address)
	if err != nil || to.JID != self.JID && !mayWrite(self, to) {
		return nil, nil
	}
	return self, to
}

// receiptMail returns nil if the receipt cannot be encoded, which only its sender can be at fault for.
func (c *session) receiptMail(to *user, device uint16, id string, node waBinary.Node) *state.Mail {
	stanza, err := wire.EncodeStanza(node)
	if err != nil {
		c.log.Warn().Err(err).Str("id", id).Msg("Receipt cannot be handed on")
		return nil
	}
	return &state.Mail{
		Device: to.as(true, device), Class: "receipt", ID: id, Sender: c.device, Stanza: stanza, Stored: c.server.clock.unix(),
	}
}

func spaced(tag, kind string) string {
	if kind == "" {
		return tag
	}
	return tag + " " + kind
}
