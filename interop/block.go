package interop

import (
	"context"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// maxBlocklist bounds the answer, in contacts: four times as many as the sandbox allows. What is beyond is left out.
const maxBlocklist = 4096

// errNoBlocklist: the answer to a question for the blocklist has none.
var errNoBlocklist = errors.New("the gatekeeper's answer has no blocklist")

// Blocklist returns the contacts on the gatekeeper's blocklist, without devices, each once.
// Errors: ErrNotConnected, and those of the request.
func (c *Client) Blocklist(ctx context.Context) ([]types.JID, error) {
	return c.askBlocklist(ctx, request{namespace: "blocklist", kind: "get"})
}

// SetBlocked puts a contact on the gatekeeper's blocklist or takes it off, and returns the list that results. What is so already is
// no error.
// Errors: ErrUnknownContact, ErrNotConnected, and those of the request.
func (c *Client) SetBlocked(ctx context.Context, contact types.JID, blocked bool) ([]types.JID, error) {
	if !isContact(contact) {
		return nil, ErrUnknownContact
	}
	action := "unblock"
	if blocked {
		action = "block"
	}
	list, err := c.askBlocklist(ctx, request{namespace: "blocklist", kind: "set", content: []waBinary.Node{{
		Tag: "item", Attrs: waBinary.Attrs{"action": action, "jid": contact.ToNonAD()},
	}}})
	var refusal *StanzaError
	if errors.As(err, &refusal) && refusal.Code == ackUnknownContact {
		return nil, fmt.Errorf("%w: %w", ErrUnknownContact, err)
	}
	return list, err
}

func (c *Client) askBlocklist(ctx context.Context, query request) ([]types.JID, error) {
	connection := c.connected()
	if connection == nil {
		return nil, ErrNotConnected
	}
	answer, err := connection.ask(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("failed to %s the blocklist: %w", query.kind, err)
	}
	list := child(answer, "list")
	if list == nil {
		return nil, errNoBlocklist
	}
	return parseBlocklist(list), nil
}

// parseBlocklist reads the contacts of a list. What is no contact is left out.
func parseBlocklist(list *waBinary.Node) []types.JID {
	var contacts []types.JID
	seen := make(map[types.JID]bool)
	for _, item := range children(list) {
		contact := jidAttr(&item, "jid").ToNonAD()
		if item.Tag != "item" || !isContact(contact) || seen[contact] {
			continue
		} else if len(contacts) == maxBlocklist {
			break
		}
		seen[contact] = true
		contacts = append(contacts, contact)
	}
	return contacts
}
