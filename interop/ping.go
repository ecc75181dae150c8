package interop

import (
	"context"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Ping asks a contact whose third-party chats are off to turn them on. If they do, the handler gets a [ContactReachable]. on is
// true if the contact accepts such chats already.
// Errors: ErrUnknownContact, ErrTooManyPings, ErrNotConnected, and those of the request.
func (c *Client) Ping(ctx context.Context, contact types.JID) (on bool, err error) {
	if !isContact(contact) {
		return false, ErrUnknownContact
	}
	connection := c.connected()
	if connection == nil {
		return false, ErrNotConnected
	}
	answer, err := connection.ask(ctx, request{namespace: "interop", kind: "set", content: []waBinary.Node{{
		Tag: "ping", Attrs: waBinary.Attrs{"jid": contact.ToNonAD()},
	}}})
	var refused *StanzaError
	switch {
	case errors.As(err, &refused) && refused.Code == codePingLimit:
		return false, ErrTooManyPings
	case errors.As(err, &refused) && refused.Code == codePingUnknown:
		return false, ErrUnknownContact
	case err != nil:
		return false, fmt.Errorf("failed to ask a contact to turn third-party chats on: %w", err)
	}
	return attr(child(answer, "interop"), "state") == "on", nil
}

// queueReachable hands a contact's answer to the handler, and acknowledges it when that is done.
func (c *connection) queueReachable(node *waBinary.Node, contact types.JID) {
	r := c.run
	stanza := &waBinary.Node{Tag: node.Tag, Attrs: node.Attrs}
	r.queues.add(contact, job{bounded: true, bytes: maxMessageID, run: func() {
		if !r.deliver(&ContactReachable{Contact: contact}) {
			return // the run ends; it comes again
		}
		if connection := r.connected(); connection != nil {
			connection.acknowledge(stanza)
		}
	}})
}

const (
	codePingLimit   = 429
	codePingUnknown = 404
)
