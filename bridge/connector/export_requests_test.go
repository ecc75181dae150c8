package connector

import (
	"context"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

const (
	MaxAsking      = maxAsking
	KeptMessages   = keptMessages
	RoomsPerMinute = roomsPerMinute
)

// TextRequestName is what an invitation is called.
var TextRequestName = textRequestName

// Flood counts rooms.
type Flood struct{ flood flood }

func (f *Flood) MayMake(now time.Time) bool { return f.flood.mayMake(now) }
func (f *Flood) MayTell(now time.Time) bool { return f.flood.mayTell(now) }

// WithoutRooms keeps the client from making rooms for requests, and from telling its user so, for a minute.
func (c *Client) WithoutRooms() {
	now := c.network.Clock.Now()
	for range roomsPerMinute {
		c.gate.flood.mayMake(now)
	}
	c.gate.flood.mayTell(now)
}

// RequestOf tells where a contact's request stands and how much of theirs was not kept.
func (c *Client) RequestOf(ctx context.Context, jid types.JID) (puppet.Request, int, error) {
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return 0, 0, err
	}
	return contact.Request, contact.Missed, nil
}

// KeptOf tells how much is kept of a contact.
func (c *Client) KeptOf(ctx context.Context, jid types.JID) (count, bytes int, err error) {
	size, err := c.kept().Size(ctx, jid)
	return size.Count, size.Bytes, err
}

// AcceptRequest is what joining the room of a request does.
func (c *Client) AcceptRequest(ctx context.Context, jid types.JID) error {
	return c.acceptRequest(ctx, jid)
}
