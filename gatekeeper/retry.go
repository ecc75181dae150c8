package gatekeeper

import (
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

// forwardRetry hands a retry receipt to the one device that sent the message. The answer is a message to one device, see
// readLetters.
func (c *session) forwardRetry(receipt *waBinary.Node) {
	self, to := c.correspondents(receipt)
	if to == nil {
		return
	}
	address, _ := jid(receipt, "to")
	id, retry := text(receipt, "id"), child(receipt, "retry")
	if number(retry, "count") < 1 || !validID(text(retry, "id")) || !to.hasDevice(address.Device) {
		return
	}
	c.note(state.Saw{Kind: "receipt retry", ID: id, To: wire.FormatJID(to.JID)})
	if to.blocked[self.JID] {
		return
	}
	attrs := waBinary.Attrs{
		"id": id, "type": "retry", "t": c.server.clock.unix(), "from": self.as(to.IsInterop(), c.device.Device),
	}
	keep(receipt, attrs, "category")
	if chat, ok := jid(receipt, "recipient"); ok {
		// A device asks another one of the same user for the copy of a message to somebody else.
		if recipient, err := c.server.directory.find(c.ctx, chat); err == nil {
			attrs["recipient"] = recipient.as(to.IsInterop(), 0)
		}
	}
	content, ok := retryContent(receipt)
	if !ok {
		return
	}
	mail := c.receiptMail(to, address.Device, id, waBinary.Node{Tag: "receipt", Attrs: attrs, Content: content})
	if mail != nil {
		c.server.state.StoreAsync(nil, mail)
	}
}

// retryContent takes over the parts of a retry receipt that its receiver needs: which message, and new keys if there are
// any. ok is false if keys are not what they should be.
func retryContent(receipt *waBinary.Node) (content []waBinary.Node, ok bool) {
	retry := waBinary.Node{Tag: "retry", Attrs: waBinary.Attrs{}}
	keep(child(receipt, "retry"), retry.Attrs, "count", "id", "t", "v")
	registration := wire.Bytes(child(receipt, "registration"))
	if len(registration) != 4 {
		return nil, false
	}
	content = []waBinary.Node{retry, {Tag: "registration", Content: registration}}
	keys := child(receipt, "keys")
	if keys.Tag == "" {
		return content, true
	}
	var device state.Device
	device.Identity = wire.Bytes(child(keys, "identity"))
	if !readSignedPreKey(child(keys, "skey"), &device) {
		return nil, false
	}
	bundle := append(identityNodes(&device)[1:], preKeyNode("skey", device.SignedID, device.SignedKey, device.SignedSig))
	if key := child(keys, "key"); key.Tag != "" {
		id, value := wire.Bytes(child(key, "id")), wire.Bytes(child(key, "value"))
		if len(id) != 3 || len(value) != 32 {
			return nil, false
		}
		bundle = append(bundle, preKeyNode("key", decodeID(id), value, nil))
	}
	return append(content, waBinary.Node{Tag: "keys", Content: bundle}), true
}
