package peer

import (
	"context"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// read is the channel's goroutine.
func (c *Channel) read() {
	defer close(c.ended)
	for {
		node, err := c.conn.ReadNode(context.Background())
		if err != nil {
			err = fmt.Errorf("%w: %w", errEnded, err)
			c.fail(err)
			c.Received.Fail(err)
			c.Delivered.Fail(err)
			return
		}
		c.handle(node)
	}
}

func (c *Channel) handle(node *waBinary.Node) {
	switch node.Tag {
	case "iq":
		c.handleAnswer(node)
	case "message":
		if c.onMessage != nil {
			c.onMessage(node)
		}
		c.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": node.Attrs["id"], "to": node.Attrs["from"]}})
		c.Received.Add(1)
	case "receipt":
		c.acknowledge(node)
		if kind, _ := node.Attrs["type"].(string); kind == "" || kind == "inactive" {
			c.noteDelivered(node)
		}
	case "notification":
		c.acknowledge(node)
	case "ack":
		c.handleAck(node)
	}
}

func (c *Channel) handleAnswer(node *waBinary.Node) {
	id, _ := node.Attrs["id"].(string)
	c.mu.Lock()
	waiter := c.waiters[id]
	delete(c.waiters, id)
	c.mu.Unlock()
	if waiter != nil {
		waiter <- node
	}
}

// handleAck frees a place in the window. Acks of other stanzas than messages do not come.
func (c *Channel) handleAck(node *waBinary.Node) {
	if code, refused := node.Attrs["error"]; refused {
		c.fail(fmt.Errorf("%w: message: %v", ErrRefused, code))
	}
	select {
	case <-c.window:
	default: // of a message that nobody waits for
	}
}

// noteDelivered counts the messages that a receipt is for, each of them once: a receipt comes again if the other side
// was not sure that it got through.
func (c *Channel) noteDelivered(receipt *waBinary.Node) {
	list := receipt.GetChildByTag("list")
	for _, node := range append(list.GetChildren(), *receipt) {
		id, _ := node.Attrs["id"].(string)
		if _, known := c.confirmed[id]; !known {
			c.confirmed[id] = struct{}{}
			c.Delivered.Add(1)
		}
	}
}

// acknowledge takes a stanza that is not a message out of the mailbox.
func (c *Channel) acknowledge(node *waBinary.Node) {
	attrs := waBinary.Attrs{"class": node.Tag, "id": node.Attrs["id"], "to": node.Attrs["from"]}
	if kind, ok := node.Attrs["type"]; ok {
		attrs["type"] = kind
	}
	c.write(waBinary.Node{Tag: "ack", Attrs: attrs})
}

// write sends a stanza for the reader. If that fails, so does the next read.
func (c *Channel) write(node waBinary.Node) { _ = c.conn.WriteNode(context.Background(), node) }
