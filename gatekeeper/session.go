package gatekeeper

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

const (
	// idleTimeout ends a connection on which the client sends nothing. whatsmeow pings every 20 to 30 seconds.
	idleTimeout = 3 * time.Minute
	// writeTimeout bounds one write. A client that takes no bytes for so long is gone.
	writeTimeout = 20 * time.Second
	// farewellTimeout bounds the last stanza of a connection that is ended by us.
	farewellTimeout = 3 * time.Second
	// farewellGrace is how long a client has to close the connection by itself after it. whatsmeow may overlook a last
	// stanza if the end of the connection comes with it.
	farewellGrace = 500 * time.Millisecond
	// maxPending is how many messages of a client may wait for their commit before it is read no further.
	maxPending = 256
	// maxFleeting is how many chat states and presences may wait for a client; more are dropped.
	maxFleeting = 64
)

// session is one logged-in connection. Three goroutines belong to it, all owned by run: the reader, which handles the
// client's stanzas one after the other; the writer, which sends acks and what is not kept; and the deliverer of the
// mailbox, from the moment the client is active.
type session struct {
	server *Server
	conn   *wire.Conn
	log    zerolog.Logger

	// device is the canonical address: under the account's JID, never its LID.
	device types.JID
	// partner tells partner clients from WhatsApp clients.
	partner bool
	// readReceipts is false for a partner's user who does not want to send any.
	readReceipts bool

	ctx    context.Context
	cancel context.CancelFunc

	// pending are the acks of messages that were given to the state to store, in their order; stored gets the outcome
	// of each in the same order. Of equal size, so that the state never waits for us.
	pending  chan pendingAck
	stored   chan error
	fleeting chan waBinary.Node
	farewell chan waBinary.Node

	mailbox   mailbox
	activated sync.Once
	work      sync.WaitGroup

	watching  map[types.JID]struct{} // accounts; guarded by the hub's lock
	available bool                   // owned by the reader
}

func newSession(server *Server, conn *wire.Conn, who *login) *session {
	c := &session{
		server:       server,
		conn:         conn,
		device:       who.device,
		partner:      who.device.Server == types.InteropServer,
		readReceipts: who.readReceipts,
		log:          server.log.With().Str("device", wire.FormatJID(who.device)).Logger(),
		pending:      make(chan pendingAck, maxPending),
		stored:       make(chan error, maxPending+1),
		fleeting:     make(chan waBinary.Node, maxFleeting),
		farewell:     make(chan waBinary.Node, 1),
		watching:     make(map[types.JID]struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(server.background)
	c.mailbox.freed = make(chan struct{}, 1)
	return c
}

// run serves the connection until it ends. The caller has sent the answer to the login.
func (c *session) run() {
	c.work.Go(c.write)
	idle := time.AfterFunc(idleTimeout, c.cancel)
	defer func() { // also when a handler panicked
		idle.Stop()
		c.cancel()
		_ = c.conn.Close(0)
		c.work.Wait()
		if c.server.hub.remove(c) {
			if c.available {
				c.announcePresence("unavailable")
			}
			c.server.pushes.sessionEnded(c.device)
		}
	}()
	for {
		node, err := c.conn.ReadNode(c.ctx)
		if err != nil {
			c.log.Debug().Err(err).Msg("Connection ended")
			return
		}
		idle.Reset(idleTimeout)
		c.handle(node)
	}
}

// handle acts on one stanza of the client.
func (c *session) handle(node *waBinary.Node) {
	switch node.Tag {
	case "iq":
		c.handleIQ(node)
	case "message":
		c.handleMessage(node)
	case "receipt":
		c.handleReceipt(node)
	case "ack":
		c.handleAck(node)
	case "chatstate":
		c.handleChatState(node)
	case "presence":
		c.handlePresence(node)
	case "ib": // information for the server's statistics
	default:
		c.log.Warn().Str("stanza", cut(node.Tag, maxAttribute)).Msg("Unexpected stanza")
		c.note(state.Saw{Kind: "unexpected " + cut(node.Tag, maxAttribute)})
	}
}

// self returns the session's account. It fails if the account is gone, in which case the session is about to end.
func (c *session) self() (*user, error) { return c.server.directory.find(c.ctx, c.device) }

// end sends a last stanza, if the client still takes any, and closes the connection. It does not wait.
func (c *session) end(last waBinary.Node) {
	select {
	case c.farewell <- last:
	default: // is ending already
	}
}

// send writes stanzas and ends the connection if that fails.
func (c *session) send(nodes ...waBinary.Node) {
	ctx, cancel := context.WithTimeout(c.ctx, writeTimeout)
	defer cancel()
	if err := c.conn.WriteNodes(ctx, nodes...); err != nil {
		c.log.Debug().Err(err).Msg("Failed to write")
		c.cancel()
	}
}

// tell sends something that nobody misses: it is dropped if the client is slow.
func (c *session) tell(node waBinary.Node) {
	select {
	case c.fleeting <- node:
	default:
	}
}

// write is the writer goroutine.
func (c *session) write() {
	for {
		select {
		case err := <-c.stored:
			c.sendAcks(err)
		case node := <-c.fleeting:
			c.send(node)
		case last := <-c.farewell:
			ctx, cancel := context.WithTimeout(c.ctx, farewellTimeout)
			_ = c.conn.WriteNode(ctx, last)
			cancel()
			_ = pause(c.ctx, farewellGrace)
			c.cancel()
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// note keeps a record of what this client did.
func (c *session) note(record state.Saw) {
	if record.From == "" {
		record.From = wire.FormatJID(c.device)
	}
	c.server.note(record)
}

// replacedError and the like end connections; see docs/protocol.md.
func replacedError() waBinary.Node {
	return waBinary.Node{Tag: "stream:error", Content: []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "replaced"}}}}
}

func removedError() waBinary.Node {
	return waBinary.Node{
		Tag: "stream:error", Attrs: waBinary.Attrs{"code": "401"},
		Content: []waBinary.Node{{Tag: "conflict", Attrs: waBinary.Attrs{"type": "device_removed"}}},
	}
}

func streamError(code string) waBinary.Node {
	return waBinary.Node{Tag: "stream:error", Attrs: waBinary.Attrs{"code": code}}
}
