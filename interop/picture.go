package interop

import (
	"context"
	"errors"
	"fmt"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// Picture is a contact's profile picture.
type Picture struct {
	// ID changes with the picture.
	ID string
	// URL is what the gatekeeper says, unchecked: who fetches it has to see that it does not lead into a private network.
	URL string
}

// Picture returns where the contact's picture is, or nil if there is none or it is not shown to us.
// Errors: ErrNotConnected, and those of the request.
func (c *Client) Picture(ctx context.Context, contact types.JID) (*Picture, error) {
	connection := c.connected()
	if connection == nil {
		return nil, ErrNotConnected
	}
	answer, err := connection.ask(ctx, request{
		namespace: "w:profile:picture", kind: "get",
		attrs:   waBinary.Attrs{"target": contact.ToNonAD()},
		content: []waBinary.Node{{Tag: "picture", Attrs: waBinary.Attrs{"type": "image", "query": "url"}}},
	})
	var refusal *StanzaError
	if errors.As(err, &refusal) && (refusal.Code == 404 || refusal.Code == 401 || refusal.Code == 403) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("failed to ask for a picture: %w", err)
	}
	node := child(answer, "picture")
	picture := &Picture{ID: attr(node, "id"), URL: attr(node, "url")}
	if picture.ID == "" || picture.URL == "" {
		return nil, nil
	}
	return picture, nil
}
