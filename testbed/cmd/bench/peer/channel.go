package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// Window is how many messages a channel has on the wire without an ack: as many as the interop client.
const Window = 64

var (
	// ErrRefused is wrapped by errors about a login or a message that the gatekeeper refused.
	ErrRefused = errors.New("refused by the gatekeeper")
	errEnded   = errors.New("chat channel ended")
)

// Login says who connects where.
type Login struct {
	// URL is the chat server's websocket and RootKey what its certificates lead to.
	URL     string
	RootKey [32]byte
	// Static is the account's Noise key, and Payload the serialized ClientPayload.
	Static  wire.KeyPair
	Payload []byte
}

// Channel is a logged-in chat channel. One goroutine, which Close ends, reads it. Its methods are safe for concurrent
// use, except that only one Send may run at a time.
type Channel struct {
	conn *wire.Conn
	// onMessage gets every message before its receipt leaves; nil if nobody wants them. Called by the reader.
	onMessage func(message *waBinary.Node)
	window    chan struct{} // holds a value for every message without an ack
	ended     chan struct{} // closed when the reader has ended
	reader    sync.WaitGroup
	confirmed map[string]struct{} // ids of delivered messages; owned by the reader

	// Received counts messages, Delivered messages of ours that the other side confirmed, since the channel was made.
	// Both fail when the channel ends.
	Received, Delivered Tally

	mu      sync.Mutex
	cause   error // why the channel ended, or what went wrong on it first
	waiters map[string]chan *waBinary.Node
	lastID  int
}

// Connect logs in. Nothing is delivered before Activate. The caller must Close the channel.
func Connect(ctx context.Context, login Login, onMessage func(*waBinary.Node)) (*Channel, error) {
	conn, err := wire.Dial(ctx, login.URL, nil, wire.ClientHandshake{
		Static: login.Static, RootKey: login.RootKey,
		Payload: func(context.Context) ([]byte, error) { return login.Payload, nil },
	})
	if err != nil {
		return nil, err
	}
	answer, err := conn.ReadNode(ctx)
	if err == nil && answer.Tag != "success" {
		err = fmt.Errorf("%w: login: %s %v", ErrRefused, answer.Tag, answer.Attrs["reason"])
	}
	if err != nil {
		_ = conn.Close(0)
		return nil, err
	}
	c := &Channel{
		conn: conn, onMessage: onMessage,
		window: make(chan struct{}, Window), ended: make(chan struct{}),
		confirmed: make(map[string]struct{}), waiters: make(map[string]chan *waBinary.Node),
	}
	c.reader.Go(c.read)
	return c, nil
}

// Close ends the channel and waits for its goroutine.
func (c *Channel) Close() {
	_ = c.conn.Close(0)
	c.reader.Wait()
}

// Activate asks for what waits and for what will come.
func (c *Channel) Activate(ctx context.Context) error {
	_, err := c.Ask(ctx, "set", "passive", waBinary.Node{Tag: "active"})
	return err
}

// Ask sends a request and waits for its answer. An answer with an error wraps [ErrRefused].
func (c *Channel) Ask(ctx context.Context, kind, namespace string, content ...waBinary.Node) (*waBinary.Node, error) {
	answers := make(chan *waBinary.Node, 1)
	c.mu.Lock()
	c.lastID++
	id := "peer-" + strconv.Itoa(c.lastID)
	c.waiters[id] = answers
	c.mu.Unlock()
	err := c.conn.WriteNode(ctx, waBinary.Node{Tag: "iq", Content: content, Attrs: waBinary.Attrs{
		"id": id, "type": kind, "xmlns": namespace, "to": types.ServerJID,
	}})
	if err != nil {
		return nil, fmt.Errorf("failed to ask for %s: %w", namespace, err)
	}
	select {
	case answer := <-answers:
		if answer.Attrs["type"] == "error" {
			return nil, fmt.Errorf("%w: %s: %v", ErrRefused, namespace, answer.GetChildByTag("error").Attrs["code"])
		}
		return answer, nil
	case <-c.ended:
		return nil, c.failure()
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer to %s: %w", namespace, ctx.Err())
	}
}

// Send writes message stanzas, [Window] of them at a time, and returns when all are acked.
func (c *Channel) Send(ctx context.Context, stanzas [][]byte) error {
	for _, stanza := range stanzas {
		if err := c.take(ctx, 1); err != nil {
			return err
		}
		if err := c.conn.WriteStanzas(ctx, stanza); err != nil {
			return fmt.Errorf("failed to send: %w", err)
		}
	}
	if err := c.take(ctx, Window); err != nil { // all free again
		return err
	}
	for range Window {
		<-c.window
	}
	return c.failure()
}

// take waits for places in the window.
func (c *Channel) take(ctx context.Context, places int) error {
	for range places {
		select {
		case c.window <- struct{}{}:
		case <-c.ended:
			return c.failure()
		case <-ctx.Done():
			return fmt.Errorf("acks are missing: %w", ctx.Err())
		}
	}
	return nil
}

// fail keeps the first thing that went wrong.
func (c *Channel) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = err
	}
}

func (c *Channel) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}
