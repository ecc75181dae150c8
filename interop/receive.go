package interop

import (
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// maxEncNodes bounds the ciphertexts in one message; a chat between two has one.
	maxEncNodes = 64
	// maxMessageID and maxPushName bound what is taken over from an envelope, in bytes.
	maxMessageID = 128
	maxPushName  = 256
)

var (
	// errWithheld: the gatekeeper delivered a message without its content.
	errWithheld = errors.New("message came without content")
	// errUnknownCipher: asking for it again would give the same.
	errUnknownCipher = errors.New("message is encrypted in an unknown way")
)

// inbound is a message on its way to the handler.
type inbound struct {
	MessageInfo
	// stanza is the message's node without its content, for receipts.
	stanza *waBinary.Node
	// parts are what was decrypted. Mostly one.
	parts []decrypted
	// hide is the sender's wish that nothing is shown if the message cannot be decrypted.
	hide bool
}

// handleMessage decrypts a message and queues it for the handler. Decrypting happens here, on the reading goroutine, in
// the order of arrival: a session's messages build on each other.
func (c *connection) handleMessage(node *waBinary.Node) {
	message := c.parseMessage(node)
	if message == nil {
		c.acknowledge(node)
		return
	} else if c.run.isEnding() {
		return // it comes again
	}
	encs := c.encNodes(node)
	if len(encs) == 0 {
		switch {
		case child(node, "unavailable") != nil:
			c.queueUndecryptable(message, errWithheld)
		case child(node, "enc") != nil:
			c.queueUndecryptable(message, errUnknownCipher)
		default:
			c.acknowledge(node)
		}
		return
	}
	message.hide = encs[0].hide
	sender := AddressOf(message.Sender)
	key := receivedHash(sender, encs[0].kind, encs[0].ciphertext)
	if c.run.inbox.isRepeated(key, c.offlineTrackerFor(message)) {
		return // it is acknowledged when the handler is done with the first
	}
	var failure error
	var failed incoming
	c.run.log.Debug().Str("message_id", message.ID).Bool("offline", message.Offline).Msg("A message came over the chat channel")
	pending := 0
	for _, enc := range encs {
		part, err := c.run.client.sessions.decrypt(c.run.handling, sender, enc.kind, enc.ciphertext)
		var ofStore *storeError
		if errors.As(err, &ofStore) {
			// Nothing is wrong with the message. It comes again on the next connection.
			c.close(fmt.Errorf("failed to take in a message: %w", err))
			return
		} else if err != nil {
			failure, failed = err, enc
			continue
		}
		if part.envelope != nil {
			pending += len(part.envelope)
		}
		message.parts = append(message.parts, part)
	}
	if len(message.parts) == 0 {
		c.handleUndecryptable(message, failed.count, failure)
		return
	}
	if failure != nil {
		// A chat between two has one ciphertext in a message, so the other one is most likely the same for somebody else.
		c.run.log.Warn().Err(failure).Str("message_id", message.ID).Msg("Failed to decrypt a part of a message, the rest is delivered")
	}
	if pending == 0 {
		c.run.log.Debug().Str("message_id", message.ID).Msg("A message came again that was delivered before")
		c.confirm(message) // only the receipt got lost
		return
	}
	c.run.log.Debug().Str("message_id", message.ID).Msg("A message was decrypted and stored")
	c.queueMessage(key, message, pending)
}

// parseMessage reads a message's envelope. It returns nil for what is not a message from a contact.
func (c *connection) parseMessage(node *waBinary.Node) *inbound {
	sender := jidAttr(node, "from")
	id := attr(node, "id")
	own := c.run.client.options.Account.JID
	switch {
	case !isContact(sender) || sender.User == own.User && sender.Server == own.Server && sender.Integrator == own.Integrator,
		id == "" || len(id) > maxMessageID:
		c.run.log.Debug().Str("from", cut(attr(node, "from"), maxMessageID)).Msg("Discarded a message that is not from a contact")
		return nil
	}
	now := c.run.client.options.Clock.Now()
	return &inbound{
		MessageInfo: MessageInfo{
			ID: id, Chat: sender.ToNonAD(), Sender: sender,
			PushName:  cut(attr(node, "notify"), maxPushName),
			Timestamp: timeAttr(node, "t", now),
			Received:  now,
			Offline:   attr(node, "offline") != "",
		},
		stanza: &waBinary.Node{Tag: node.Tag, Attrs: node.Attrs},
	}
}

// incoming is one enc node.
type incoming struct {
	kind       encType
	ciphertext []byte
	// count is how often the message was sent again, 0 the first time.
	count int
	hide  bool
}

// encNodes returns the ciphertexts that a chat between two can have.
func (c *connection) encNodes(node *waBinary.Node) (encs []incoming) {
	for _, enc := range children(node) {
		kind := encType(attr(&enc, "type"))
		if enc.Tag != "enc" || kind != encPreKey && kind != encNormal || len(encs) == maxEncNodes {
			continue
		}
		ciphertext := bytesOf(&enc)
		if len(ciphertext) > maxCiphertext {
			continue
		}
		encs = append(encs, incoming{
			kind: kind, ciphertext: ciphertext, count: intAttr(&enc, "count"), hide: attr(&enc, "decrypt-fail") == "hide",
		})
	}
	return encs
}

// queueMessage hands a decrypted message to its chat's queue.
func (c *connection) queueMessage(key [32]byte, message *inbound, size int) {
	r := c.run
	tracker := c.offlineTrackerFor(message)
	r.inbox.begin(key, tracker)
	if !r.queues.add(message.Chat, job{bounded: true, bytes: size, run: func() { r.deliverMessage(key, message) }}) {
		r.inbox.finish(key)
	}
}

// deliverMessage gives a message to the handler and settles it. What was delivered is marked as such before the receipt
// leaves: if the program ends in between, the message comes again, is known, and gets its receipt then.
func (r *run) deliverMessage(key [32]byte, message *inbound) {
	if !r.handleParts(message) || !r.markDelivered(message) {
		r.inbox.finish(key) // the run ends; it comes again
		return
	}
	for {
		if connection := r.connected(); connection != nil {
			connection.confirm(message)
		}
		if r.inbox.finish(key) {
			return
		}
		// It came again on another connection while the handler was at work: that one has to have the receipt too.
	}
}

// handleParts gives the parts of a message to the handler. It returns false if the run ended before all were taken.
func (r *run) handleParts(message *inbound) bool {
	for _, part := range message.parts {
		if part.envelope == nil {
			continue // delivered before
		}
		content, newIdentity, err := openEnvelope(part.envelope)
		if newIdentity && !r.deliver(&IdentityChanged{Contact: message.Sender, Timestamp: message.Timestamp}) {
			return false
		}
		var event Event = &Message{MessageInfo: message.MessageInfo, Message: content}
		if err != nil {
			r.log.Warn().Err(err).Str("message_id", message.ID).Stringer("sender", AddressOf(message.Sender)).Msg("Message is malformed")
			event = &Undecryptable{MessageInfo: message.MessageInfo, Reason: err, Hide: message.hide}
		}
		if !r.deliver(event) {
			return false
		}
	}
	return true
}

// confirm sends the delivery receipt, which is also what takes the message out of the gatekeeper's mailbox. For a sender who must
// not learn of it there is another way.
func (c *connection) confirm(message *inbound) {
	answers, ok := c.answers(message.Chat)
	if !ok {
		return
	} else if answers != AnswerAll {
		c.run.log.Debug().Str("message_id", message.ID).Msg("A message was acknowledged to the gatekeeper, without a receipt")
		c.acknowledge(message.stanza)
		return
	}
	c.run.log.Debug().Str("message_id", message.ID).Msg("A message got its delivery receipt")
	c.writeLogged(waBinary.Node{Tag: "receipt", Attrs: receiptAttrs(message.stanza)})
}

// receiptAttrs are the attributes that every receipt for a message has.
func receiptAttrs(message *waBinary.Node) waBinary.Attrs {
	attrs := waBinary.Attrs{"id": message.Attrs["id"], "to": message.Attrs["from"]}
	for _, name := range []string{"participant", "recipient"} {
		if value, ok := message.Attrs[name]; ok {
			attrs[name] = value
		}
	}
	return attrs
}
