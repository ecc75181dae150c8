package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/baseline"
	"postern/testbed/cmd/bench/peer"
	"postern/testbed/cmd/bench/report"
	"postern/testbed/stack"
)

const (
	// rateRounds are measured in turns with the baseline; the medians count.
	rateRounds = 3
	// rateMessages are sent in each chat in a round.
	rateMessages = 200
	rateTarget   = 0.6
	// eventsPage is how many events one request for a room's history asks for.
	eventsPage = 100
)

// measureRate lets contacts write to one Matrix user, each in a chat of its own. The clock stops when each contact has the
// delivery receipt of its last message, which the bridge sends only when the homeserver has accepted the event. The
// messages are encrypted beforehand, and the user is offline, so that neither end takes the processor from those who
// are measured.
func measureRate(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alice, err := newEnlisted(ctx, s, "alice")
	if err != nil {
		return nil, err
	}
	b.progress("  starting %d chats", chats)
	list := &conversations{user: alice}
	defer list.close()
	if err = list.start(ctx, s); err != nil {
		return nil, err
	}
	alice.Pause()
	senders, err := baseline.NewSenders(ctx, s.Homeserver, chats)
	if err != nil {
		return nil, err
	}
	each := b.scaled(rateMessages)
	var bridged, raw []float64
	for round := range rateRounds {
		accepted, err := senders.Rate(ctx, each)
		if err != nil {
			return nil, err
		}
		delivered, err := list.rate(ctx, each)
		if err != nil {
			return nil, err
		}
		raw, bridged = append(raw, accepted), append(bridged, delivered)
		b.progress("  round %d: %.0f/s (raw %.0f)", round+1, delivered, accepted)
	}
	if err = list.check(ctx, rateRounds*each); err != nil {
		return nil, err
	}
	return []report.Figure{{
		Name: fmt.Sprintf("WhatsApp to Matrix, encrypted, %d chats", chats), Value: report.Median(bridged), Unit: "messages/s",
		Baseline: report.Median(raw), BaselineName: fmt.Sprintf("%d raw senders", chats),
		Target: &report.Target{Subject: report.Ratio, AtLeast: true, Number: rateTarget},
	}}, nil
}

// newEnlisted makes a Matrix user who enlists by talking to the bot.
func newEnlisted(ctx context.Context, s *stack.Stack, name string) (*stack.BridgeUser, error) {
	user, err := s.NewBridgeUser(ctx, name)
	if err != nil {
		return nil, err
	}
	return user, user.Enlist(ctx)
}

// conversations are the chats of one Matrix user with contacts that cost next to nothing.
type conversations struct {
	user     *stack.BridgeUser
	contacts []*peer.Contact
	rooms    []id.RoomID
}

// start makes contacts and exchanges a message each way with every one of them, so that rooms and sessions are there.
func (c *conversations) start(ctx context.Context, s *stack.Stack) error {
	for i := range chats {
		phone := fmt.Sprintf("+%d", firstPhone+i)
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

// check asks the homeserver how many encrypted events of the contact each room has: those that were measured, and the
// first.
func (c *conversations) check(ctx context.Context, measured int) error {
	for _, room := range c.rooms {
		events, err := c.encryptedEvents(ctx, room)
		if err != nil {
			return err
		}
		if events != measured+1 {
			return fmt.Errorf("%w: the homeserver has %d of %d in %s", errLost, events, measured+1, room)
		}
	}
	return nil
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
