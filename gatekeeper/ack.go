package gatekeeper

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/gatekeeper/state"
)

// maxAcks is how many acks are sent with one write.
const maxAcks = 64

// pendingAck is the answer to a message that is being stored.
type pendingAck struct{ node waBinary.Node }

// messageAck makes the ack of a message. "from" is the message's "to", exactly.
func (c *session) messageAck(id string, message *waBinary.Node, err error) waBinary.Node {
	attrs := waBinary.Attrs{"class": "message", "id": id, "t": c.server.clock.unix()}
	if to, ok := jid(message, "to"); ok {
		attrs["from"] = to
	}
	ack := waBinary.Node{Tag: "ack", Attrs: attrs}
	if err == nil {
		if hash := c.devicesHash(message); hash != "" {
			attrs["phash"] = hash
		}
		return ack
	}
	var refusal *stanzaError
	if !errors.As(err, &refusal) {
		c.log.Err(err).Str("id", id).Msg("Failed to take a message")
		refusal = &stanzaError{code: codeInternal}
	}
	c.note(state.Saw{Kind: "message refused", ID: id})
	attrs["error"] = refusal.code
	if refusal.content != nil {
		ack.Content = refusal.content
	}
	return ack
}

// devicesHash returns what a WhatsApp client compares with the devices that it wrote to: WhatsApp's hash of all devices
// of both ends. A partner client is refused when it has the wrong ones, so it gets none.
func (c *session) devicesHash(message *waBinary.Node) string {
	to, ok := jid(message, "to")
	if c.partner || !ok || child(message, "participants").Tag == "" {
		return ""
	}
	self, err := c.self()
	if err != nil {
		return ""
	}
	recipient, err := c.server.directory.find(c.ctx, to)
	if err != nil {
		return ""
	}
	owners := []*user{recipient}
	if recipient != self {
		owners = append(owners, self)
	}
	var devices []string
	for _, owner := range owners {
		for _, device := range owner.devices {
			address := owner.LID
			address.Device = device
			devices = append(devices, address.ADString())
		}
	}
	slices.Sort(devices)
	hash := sha256.Sum256([]byte(strings.Join(devices, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(hash[:6])
}

// sendAcks sends the ack that waits for this outcome, and those whose outcome is there, too.
func (c *session) sendAcks(outcome error) {
	var acks []waBinary.Node
	for {
		ack := (<-c.pending).node
		if outcome != nil {
			c.log.Err(outcome).Any("id", ack.Attrs["id"]).Msg("Failed to store a message")
			ack.Attrs["error"] = codeInternal
			delete(ack.Attrs, "phash")
		}
		if !c.server.faults.dropsAck() {
			acks = append(acks, ack)
		}
		if len(acks) == maxAcks {
			break
		}
		select {
		case outcome = <-c.stored:
			continue
		default:
		}
		break
	}
	if len(acks) == 0 {
		return
	}
	if pause(c.ctx, c.server.faults.ackDelay()) == nil {
		c.send(acks...)
	}
}

// pause waits, for a fault that asks for it.
func pause(ctx context.Context, duration time.Duration) error {
	if duration <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
