package interop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// writeTimeout bounds one write. A peer that takes no bytes for so long is gone.
const writeTimeout = 20 * time.Second

// connection is one chat channel, from the handshake to its end. The run's loop goroutine reads it; writing and closing
// are for anybody.
type connection struct {
	run  *run
	wire *wire.Conn

	// ctx ends with the connection; everything that waits for an answer on it uses it.
	ctx    context.Context
	cancel context.CancelFunc

	// opened is when the connection was made. lastInbound is when the last stanza came, as the [time.Duration] since then: of a time alone,
	// a machine whose clock is set back would believe for that long that something came just now.
	opened      time.Time
	lastInbound atomic.Int64
	// stanzas counts what came after the login, dispatched what of it was handed to its verb. idleAt is how many had come when
	// the run was found idle; see Rest.
	stanzas, dispatched, idleAt atomic.Uint64
	ready                       atomic.Bool // what follows a login is done
	offline                     offlineTracker
	// leftAside are the chats whose stanzas are not taken in any more on this connection. Owned by the reading goroutine.
	leftAside map[types.JID]bool

	mu        sync.Mutex
	cause     error // why the connection ended; the first reason counts
	waiters   map[string]chan<- *waBinary.Node
	lastID    uint64
	keepalive keepalive
}

func newConnection(r *run, conn *wire.Conn) *connection {
	c := &connection{run: r, wire: conn, opened: r.client.options.Clock.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// close ends the connection for the given reason, unless it has ended already. It does not wait for the other end.
func (c *connection) close(cause error) {
	c.mu.Lock()
	if c.cause != nil {
		c.mu.Unlock()
		return
	}
	c.cause = cause
	c.keepalive.stop()
	c.waiters = nil
	c.mu.Unlock()
	c.cancel()
	_ = c.wire.Close(0)
}

// ended returns why the connection ended, nil if it has not.
func (c *connection) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// serve reads and dispatches stanzas until the connection ends, and returns why it did.
func (c *connection) serve() error {
	for {
		node, err := c.read()
		if err != nil {
			return err
		}
		c.stanzas.Add(1)
		c.dispatch(node)
		c.dispatched.Add(1)
		if c.run.queues.isFlooded() {
			c.close(errFlooded)
		}
	}
}

// read waits for the next stanza. Its error is the reason for the connection's end, which it has closed.
func (c *connection) read() (*waBinary.Node, error) {
	node, err := c.wire.ReadNode(c.ctx)
	if err != nil {
		c.close(fmt.Errorf("failed to read from the chat channel: %w", err))
		return nil, c.ended()
	}
	c.lastInbound.Store(int64(c.run.client.options.Clock.Now().Sub(c.opened)))
	return node, nil
}

// write sends stanzas in their order. After an error the connection is closed, unless the stanzas themselves are at
// fault, which errors.Is tells as [wire.ErrTooLarge] or [wire.ErrEncode].
func (c *connection) write(nodes ...waBinary.Node) error {
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	err := c.wire.WriteNodes(ctx, nodes...)
	if err == nil || errors.Is(err, wire.ErrTooLarge) || errors.Is(err, wire.ErrEncode) {
		return err
	}
	c.close(fmt.Errorf("failed to write to the chat channel: %w", err))
	return ErrNotConnected
}

// writeLogged sends a stanza whose loss the protocol mends, such as a receipt, which the gatekeeper asks for again by
// delivering the message again.
func (c *connection) writeLogged(node waBinary.Node) {
	if err := c.write(node); err != nil {
		c.run.log.Debug().Err(err).Str("stanza", node.Tag).Any("id", node.Attrs["id"]).Msg("Failed to send")
	}
}

// dispatch hands a stanza to the verb that it belongs to. It must not wait for an answer from the gatekeeper, which only
// its own goroutine could read.
func (c *connection) dispatch(node *waBinary.Node) {
	switch node.Tag {
	case "message":
		if !c.leaveAside(node) {
			c.handleMessage(node)
		}
	case "receipt":
		if !c.leaveAside(node) {
			c.handleReceipt(node)
		}
	case "ack":
		c.handleAck(node)
	case "iq":
		c.handleIQ(node)
	case "notification":
		c.handleNotification(node)
	case "chatstate":
		c.handleChatState(node)
	case "ib":
		c.handleInfo(node)
	case "stream:error":
		c.close(parseStreamError(node))
	case "failure":
		c.close(parseFailure(node))
	case "presence", "success":
	default:
		c.run.log.Debug().Str("stanza", node.Tag).Msg("Unknown stanza")
	}
}

// leaveAside tells whether a stanza is neither handled nor acknowledged, because too much of its chat waits for the handler,
// or did when a stanza before it came: what is left aside comes again on the next connection, all of it in its order.
func (c *connection) leaveAside(node *waBinary.Node) bool {
	chat := jidAttr(node, "from").ToNonAD()
	if c.leftAside[chat] {
		return true
	} else if !c.run.queues.isFull(chat, c) {
		return false
	}
	if c.leftAside == nil {
		c.leftAside = make(map[types.JID]bool)
	}
	c.leftAside[chat] = true
	c.run.log.Warn().Stringer("chat", AddressOf(chat)).Msg("Too much of a chat waits for its handler, leaving the rest to the gatekeeper")
	return true
}

// acknowledge tells the gatekeeper that a stanza was taken over or is of no use, so that it is not delivered again.
func (c *connection) acknowledge(node *waBinary.Node) {
	attrs := waBinary.Attrs{"class": node.Tag, "id": node.Attrs["id"], "to": node.Attrs["from"]}
	for _, name := range []string{"participant", "recipient"} {
		if value, ok := node.Attrs[name]; ok {
			attrs[name] = value
		}
	}
	if kind, ok := node.Attrs["type"]; ok && node.Tag != "message" {
		attrs["type"] = kind
	}
	c.writeLogged(waBinary.Node{Tag: "ack", Attrs: attrs})
}
