package interop

import (
	"context"
	"slices"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxReceiptIDs is how many messages one receipt or one event is for.
const maxReceiptIDs = 256

// idsPerLine bounds a line of the log: ids have up to maxMessageID bytes.
const idsPerLine = 16

// SendReceipt tells a contact that their messages were read or played at the given time. Nothing is stored.
// Errors: ErrUnknownContact for a JID that is no contact, ErrNotConnected.
func (c *Client) SendReceipt(_ context.Context, chat types.JID, ids []types.MessageID, kind ReceiptType, at time.Time) error {
	if !isContact(chat) {
		return ErrUnknownContact
	}
	connection := c.connected()
	if connection == nil {
		return ErrNotConnected
	}
	for len(ids) > 0 {
		part := ids[:min(len(ids), maxReceiptIDs)]
		ids = ids[len(part):]
		node := waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": part[0], "to": chat.ToNonAD(), "t": at.Unix()}}
		if kind != ReceiptDelivered {
			node.Attrs["type"] = string(kind)
		}
		if len(part) > 1 {
			items := make([]waBinary.Node, len(part)-1)
			for i, id := range part[1:] {
				items[i] = waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"id": id}}
			}
			node.Content = []waBinary.Node{{Tag: "list", Content: items}}
		}
		if err := connection.write(node); err != nil {
			return err
		}
	}
	return nil
}

// handleReceipt takes in what a contact's device did with our messages. It is acknowledged when it was handled.
func (c *connection) handleReceipt(node *waBinary.Node) {
	sender := jidAttr(node, "from")
	kind, known := receiptKinds[attr(node, "type")]
	switch {
	case !isContact(sender):
		c.acknowledge(node)
	case attr(node, "type") == "retry":
		c.handleRetryReceipt(node)
	case !known:
		c.acknowledge(node)
	default:
		c.queueReceipt(node, sender, kind)
	}
}

// receiptKinds are the types of receipts that are about our messages. Others, such as those between a user's own
// devices, are of no interest.
var receiptKinds = map[string]ReceiptType{
	"":         ReceiptDelivered,
	"inactive": ReceiptDelivered, // delivered while the app was not in use
	"read":     ReceiptRead,
	"played":   ReceiptPlayed,
}

func (c *connection) queueReceipt(node *waBinary.Node, sender types.JID, kind ReceiptType) {
	r := c.run
	ids := receiptIDs(node)
	if len(ids) == 0 {
		c.acknowledge(node)
		return
	}
	for part := range slices.Chunk(ids, idsPerLine) {
		r.log.Debug().Strs("message_ids", part).Str("kind", string(kind)).Msg("A contact's receipt came")
	}
	at := timeAttr(node, "t", r.client.options.Clock.Now())
	stanza := &waBinary.Node{Tag: node.Tag, Attrs: node.Attrs}
	r.queues.add(sender.ToNonAD(), job{bounded: true, bytes: len(ids) * maxMessageID, run: func() {
		for len(ids) > 0 {
			part := ids[:min(len(ids), maxReceiptIDs)]
			ids = ids[len(part):]
			if !r.deliver(&Receipt{Chat: sender.ToNonAD(), Sender: sender, IDs: part, Type: kind, Timestamp: at}) {
				return
			}
		}
		if connection := r.connected(); connection != nil {
			connection.acknowledge(stanza)
		}
	}})
}

// receiptIDs returns the messages that a receipt is for.
func receiptIDs(node *waBinary.Node) (ids []types.MessageID) {
	add := func(id types.MessageID) {
		if id != "" && len(id) <= maxMessageID {
			ids = append(ids, id)
		}
	}
	add(attr(node, "id"))
	for _, item := range children(child(node, "list")) {
		if item.Tag == "item" {
			add(attr(&item, "id"))
		}
	}
	return ids
}
