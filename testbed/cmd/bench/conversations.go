package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/cmd/bench/peer"
	"postern/testbed/stack"
)

const (
	// eventsPage is how many events one request for a room's history asks for.
	eventsPage = 100
	// historyTimeout bounds the wait for the histories of all rooms, historyPause is between two looks.
	historyTimeout = 30 * time.Second
	historyPause   = 200 * time.Millisecond
)

// conversations are the chats of one Matrix user with contacts that cost next to nothing.
type conversations struct {
	user *stack.BridgeUser
	// first and step choose the contacts' numbers; 0 is firstPhone and 1.
	first, step int
	contacts    []*peer.Contact
	rooms       []id.RoomID
}

// start makes contacts and exchanges a message each way with every one of them, so that rooms and sessions are there.
func (c *conversations) start(ctx context.Context, s *stack.Stack) error {
	for i := range chats {
		phone := fmt.Sprintf("+%d", cmp.Or(c.first, firstPhone)+i*cmp.Or(c.step, 1))
		contact, err := peer.NewContact(ctx, peerServer(s.Gatekeeper), phone, fmt.Sprintf("Contact %d", i))
		if err != nil {
			return err
		}
		c.contacts = append(c.contacts, contact)
		room, err := c.user.StartChat(ctx, phone)
		if err != nil {
			return err
		}
		c.rooms = append(c.rooms, room)
		if _, err = c.user.SendText(ctx, room, "hello"); err != nil {
			return err
		}
		if err = contact.Received.Wait(ctx, 1); err != nil {
			return err
		}
		if _, err = contact.Read(ctx); err != nil {
			return err
		}
		answer, err := contact.Prepare(ctx, "hello to you, too")
		if err == nil {
			err = contact.Send(ctx, answer)
		}
		if err == nil {
			_, err = c.user.WaitMessage(ctx, room, "", "hello to you")
		}
		if err == nil {
			err = contact.Delivered.Wait(ctx, 1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rate returns how many messages a second are delivered.
func (c *conversations) rate(ctx context.Context, each int) (float64, error) {
	stanzas := make([][][]byte, len(c.contacts))
	for i, contact := range c.contacts {
		var err error
		if stanzas[i], err = contact.Prepare(ctx, messageTexts(each)...); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for i, contact := range c.contacts {
		wanted := contact.Delivered.Count() + each
		group.Go(func() error {
			if err := contact.Send(ctx, stanzas[i]); err != nil {
				return err
			}
			return contact.Delivered.Wait(ctx, wanted)
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return rate(len(c.contacts)*each, time.Since(start)), nil
}

// check waits until every room's history has as many encrypted events of the contact as were measured, and the first.
// Dendrite accepts events faster than it puts them into the history.
func (c *conversations) check(ctx context.Context, measured int) error {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout)
	defer cancel()
	for _, room := range c.rooms {
		if err := c.checkRoom(ctx, room, measured+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversations) checkRoom(ctx context.Context, room id.RoomID, wanted int) error {
	for {
		events, err := c.encryptedEvents(ctx, room)
		if err != nil {
			return err
		}
		if events == wanted {
			return nil
		}
		select {
		case <-time.After(historyPause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %s has %d of %d", errLost, room, events, wanted)
		}
	}
}

func (c *conversations) encryptedEvents(ctx context.Context, room id.RoomID) (count int, err error) {
	from := ""
	for {
		page, err := c.user.Client.Messages(ctx, room, from, "", mautrix.DirectionBackward, nil, eventsPage)
		if err != nil {
			return 0, fmt.Errorf("failed to read %s: %w", room, err)
		}
		for _, evt := range page.Chunk {
			if evt.Type.Type == event.EventEncrypted.Type && evt.Sender != c.user.ID() {
				count++
			}
		}
		if page.End == "" || page.End == from || len(page.Chunk) == 0 {
			return count, nil
		}
		from = page.End
	}
}

func (c *conversations) close() {
	for _, contact := range c.contacts {
		contact.Close()
	}
}
