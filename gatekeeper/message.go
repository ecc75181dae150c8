package gatekeeper

import (
	"errors"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// maxCiphertext is the largest ciphertext for one device, in bytes. Media travels outside the chat channel.
	maxCiphertext = 128 << 10
	// maxRecipients is how many devices one message may be for, the sender's own included.
	maxRecipients = 256
	// maxDeviceIdentity bounds what WhatsApp clients send along to prove which account a device belongs to, in bytes.
	maxDeviceIdentity = 1 << 10
)

// letter is what a message stanza holds for one device.
type letter struct {
	owner  *user
	device uint16
	enc    *waBinary.Node
}

// handleMessage takes a message, stores it for every device and then acks it. It does not wait for the commit: the
// writer sends the ack when that is done.
func (c *session) handleMessage(message *waBinary.Node) {
	id := text(message, "id")
	if !validID(id) {
		return // nothing that could be acked
	}
	mail, err := c.acceptMessage(id, message)
	ack := pendingAck{node: c.messageAck(id, message, err)}
	if err != nil || len(mail) == 0 {
		c.send(ack.node)
		return
	}
	select {
	case c.pending <- ack:
		c.server.state.StoreAsync(c.stored, mail...)
	case <-c.ctx.Done():
	}
}

// acceptMessage checks a message and returns what to store. An empty list without an error is a message that is
// accepted and thrown away.
func (c *session) acceptMessage(id string, message *waBinary.Node) ([]*state.Mail, error) {
	malformed := &stanzaError{code: codeMalformed, text: "malformed message"}
	to, ok := jid(message, "to")
	if !ok {
		return nil, malformed
	}
	self, err := c.self()
	if err != nil {
		return nil, err
	}
	recipient, err := c.server.directory.find(c.ctx, to)
	if errors.Is(err, state.ErrUnknown) || err == nil && len(recipient.devices) == 0 {
		return nil, errNoSuchUser
	} else if err != nil {
		return nil, err
	} else if recipient.JID != self.JID && !mayWrite(self, recipient) {
		return nil, &stanzaError{code: codeForbidden, text: "not reachable"}
	}
	letters, err := c.readLetters(to, message, self, recipient)
	if err != nil {
		return nil, err
	}
	c.noteMessage(id, recipient, letters)
	if recipient.blocked[self.JID] {
		return nil, nil // the sender must not find out
	}
	return c.writeLetters(id, message, self, recipient, letters)
}

// readLetters returns what the message holds for whom: either for several devices inside participants, or for the one
// device that "to" names, which is how retries and messages to the own phone are sent.
func (c *session) readLetters(to types.JID, message *waBinary.Node, self, recipient *user) ([]letter, error) {
	malformed := &stanzaError{code: codeMalformed, text: "malformed message"}
	participants := child(message, "participants")
	if participants.Tag == "" {
		single := letter{owner: recipient, device: to.Device, enc: child(message, "enc")}
		if recipient.JID == self.JID && to.Device == c.device.Device {
			return nil, malformed // to itself
		} else if !recipient.hasDevice(to.Device) {
			return nil, errNoSuchUser
		}
		return []letter{single}, checkEnc(single.enc)
	}
	if to.Device != 0 || len(participants.GetChildren()) > maxRecipients {
		return nil, malformed
	}
	var letters []letter
	var stale []waBinary.Node
	list := participants.GetChildren()
	for i := range list {
		address, ok := jid(&list[i], "jid")
		if !ok || list[i].Tag != "to" {
			return nil, malformed
		}
		enc := child(&list[i], "enc")
		if err := checkEnc(enc); err != nil {
			return nil, err
		}
		owner := recipient
		if address = address.ToNonAD(); address == self.JID || address == self.LID {
			owner = self
		} else if address != recipient.JID && address != recipient.LID {
			return nil, malformed
		}
		device, _ := jid(&list[i], "jid")
		if !owner.hasDevice(device.Device) {
			stale = append(stale, waBinary.Node{Tag: "stale", Attrs: waBinary.Attrs{"jid": device}})
			continue
		}
		next := letter{owner: owner, device: device.Device, enc: enc}
		if slices.ContainsFunc(letters, func(other letter) bool { return other.owner == owner && other.device == next.device }) {
			return nil, malformed
		}
		letters = append(letters, next)
	}
	return letters, c.checkDevices(recipient, letters, stale)
}

// checkDevices refuses a partner's message that is not for exactly the recipient's devices. WhatsApp clients learn that
// from the devices' hash in the ack instead, and their message is delivered to those that it was for.
func (c *session) checkDevices(recipient *user, letters []letter, differences []waBinary.Node) error {
	if !c.partner {
		return nil
	}
	for _, device := range recipient.devices {
		has := slices.ContainsFunc(letters, func(l letter) bool { return l.owner == recipient && l.device == device })
		if !has {
			differences = append(differences, waBinary.Node{Tag: "missing", Attrs: waBinary.Attrs{"jid": recipient.as(true, device)}})
		}
	}
	if len(differences) == 0 {
		return nil
	}
	return &stanzaError{code: codeStaleDevices, text: "device list is stale", content: []waBinary.Node{{Tag: "devices", Content: differences}}}
}

// checkEnc checks one ciphertext from the outside.
func checkEnc(enc *waBinary.Node) error {
	kind, size := text(enc, "type"), len(wire.Bytes(enc))
	switch {
	case size > maxCiphertext:
		return &stanzaError{code: codeTooLarge, text: "message too large"}
	case enc.Tag != "enc" || size == 0 || text(enc, "v") != "2" || kind != "pkmsg" && kind != "msg":
		return &stanzaError{code: codeMalformed, text: "malformed ciphertext"}
	}
	return nil
}

// writeLetters makes the stanza for each device.
func (c *session) writeLetters(id string, message *waBinary.Node, self, recipient *user, letters []letter) ([]*state.Mail, error) {
	now := c.server.clock.unix()
	mail := make([]*state.Mail, 0, len(letters))
	for _, l := range letters {
		partner := l.owner.IsInterop()
		attrs := waBinary.Attrs{"id": id, "t": now, "from": self.as(partner, c.device.Device), "notify": self.Name}
		keep(message, attrs, "type", "edit", "category")
		switch {
		case l.owner == self: // a copy for another device of the sender
			attrs["recipient"] = recipient.as(partner, 0)
		case !partner && !self.IsInterop():
			attrs["sender_pn"] = self.as(true, 0)
		}
		content := []waBinary.Node{c.server.faults.spoil(l.owner.JID, copyEnc(l.enc))}
		if identity := child(message, "device-identity"); identity.Tag != "" && !partner && len(wire.Bytes(identity)) <= maxDeviceIdentity {
			content = append(content, waBinary.Node{Tag: "device-identity", Content: wire.Bytes(identity)})
		}
		stanza, err := wire.EncodeStanza(waBinary.Node{Tag: "message", Attrs: attrs, Content: content})
		if err != nil {
			return nil, err
		}
		mail = append(mail, &state.Mail{
			Device: l.owner.as(true, l.device), Class: "message", ID: id, Sender: c.device, Stanza: stanza, Stored: now,
			Once: text(l.enc, "count") == "",
		})
	}
	return mail, nil
}

// copyEnc takes over what a receiver needs of a ciphertext node.
func copyEnc(enc *waBinary.Node) waBinary.Node {
	attrs := waBinary.Attrs{}
	keep(enc, attrs, "v", "type", "count", "mediatype", "decrypt-fail")
	return waBinary.Node{Tag: "enc", Attrs: attrs, Content: wire.Bytes(enc)}
}

func (c *session) noteMessage(id string, recipient *user, letters []letter) {
	record := state.Saw{Kind: "message", ID: id, To: wire.FormatJID(recipient.JID)}
	for _, l := range letters {
		record.Enc = append(record.Enc, text(l.enc, "type"))
		record.Size += len(wire.Bytes(l.enc))
		if text(l.enc, "count") != "" {
			record.Kind = "message retry"
		}
	}
	c.note(record)
}
