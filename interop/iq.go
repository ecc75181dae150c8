package interop

import (
	"context"
	"fmt"
	"strconv"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// requestTimeout bounds how long an answer may take.
const requestTimeout = 30 * time.Second

// request is an iq to the gatekeeper.
type request struct {
	namespace string
	kind      string         // get or set
	content   any            // see wire.EncodeStanza
	attrs     waBinary.Attrs // further attributes of the iq
}

// ask sends a request and waits for its answer. It must not be called on the connection's reading goroutine. Errors:
// [ErrNotConnected] if the connection ends first, a [*StanzaError] if the gatekeeper refuses, context.DeadlineExceeded if
// it does not answer.
func (c *connection) ask(ctx context.Context, query request) (*waBinary.Node, error) {
	answer := make(chan *waBinary.Node, 1)
	id, ok := c.expect(answer)
	if !ok {
		return nil, ErrNotConnected
	}
	defer c.forget(id)
	if err := c.write(requestNode(id, query)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var problem error
	select {
	case node := <-answer:
		return node, nodeError(node)
	case <-c.ctx.Done():
		problem = ErrNotConnected
	case <-ctx.Done():
		problem = fmt.Errorf("no answer to a request for %q: %w", query.namespace, ctx.Err())
	}
	select { // an answer that came just before the end counts
	case node := <-answer:
		return node, nodeError(node)
	default:
		return nil, problem
	}
}

// nodeError returns the refusal in an answer, nil if it is none.
func nodeError(answer *waBinary.Node) error {
	if attr(answer, "type") == "error" {
		return parseError(child(answer, "error"))
	}
	return nil
}

func requestNode(id string, query request) waBinary.Node {
	attrs := waBinary.Attrs{"id": id, "type": query.kind, "xmlns": query.namespace, "to": serverJID}
	for name, value := range query.attrs {
		attrs[name] = value
	}
	return waBinary.Node{Tag: "iq", Attrs: attrs, Content: query.content}
}

// expect makes an id for a request and registers who waits for its answer, nil for nobody. It returns false if the
// connection has ended.
func (c *connection) expect(answer chan<- *waBinary.Node) (id string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return "", false
	}
	c.lastID++
	id = strconv.FormatUint(c.lastID, 10)
	if answer != nil {
		if c.waiters == nil {
			c.waiters = make(map[string]chan<- *waBinary.Node)
		}
		c.waiters[id] = answer
	}
	return id, true
}

// forget drops a request that nobody waits for any more.
func (c *connection) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiters, id)
	if len(c.waiters) == 0 {
		c.waiters = nil
	}
}

// handleIQ gives an answer to whoever waits for it, and answers the gatekeeper's own pings.
func (c *connection) handleIQ(node *waBinary.Node) {
	id := attr(node, "id")
	switch attr(node, "type") {
	case "result", "error":
		c.mu.Lock()
		waiter := c.waiters[id]
		delete(c.waiters, id)
		c.mu.Unlock()
		if waiter != nil {
			waiter <- node // has room for the one answer
		}
	case "get":
		if attr(node, "xmlns") == "urn:xmpp:ping" {
			c.writeLogged(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"type": "result", "id": node.Attrs["id"], "to": node.Attrs["from"]}})
		}
	}
}

// parseError reads an error node.
func parseError(node *waBinary.Node) *StanzaError {
	return &StanzaError{Code: intAttr(node, "code"), Text: cut(attr(node, "text"), maxErrorText)}
}

// maxErrorText bounds what of a foreign text gets into an error, in bytes.
const maxErrorText = 200

// cut shortens a text to at most limit bytes.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return text[:limit]
}
