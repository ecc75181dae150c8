package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/testbed/cmd/bench/peer"
)

const clientStopTimeout = 10 * time.Second

// errLost is wrapped by errors about messages that did not come as they were sent.
var errLost = errors.New("messages are wrong or missing")

// measuredClient is one interop client with a handler that only counts.
type measuredClient struct {
	*interop.Client
	account           types.JID
	messages, results peer.Tally
	sent              int // for ids
}

func newMeasuredClient(l *lone, account interop.Account, store interop.Store) *measuredClient {
	c := &measuredClient{account: account.JID}
	c.Client = interop.NewClient(interop.Options{
		Gatekeeper: l.gatekeeper, Account: account, Store: store, Tokens: l.partner.Tokens(), Handler: c, Log: zerolog.Nop(),
	})
	c.Start()
	return c
}

func (c *measuredClient) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), clientStopTimeout)
	defer cancel()
	_ = c.Stop(ctx) // everything that is measured was waited for
}

// HandleEvent implements [interop.Handler].
func (c *measuredClient) HandleEvent(_ context.Context, event interop.Event) error {
	switch event := event.(type) {
	case *interop.Message:
		c.messages.Add(1)
	case *interop.SendResult:
		if event.Err != nil {
			c.results.Fail(event.Err)
		} else {
			c.results.Add(1)
		}
	case *interop.Undecryptable:
		c.messages.Fail(event.Reason)
	case *interop.Disconnected:
		c.messages.Fail(event.Err)
		c.results.Fail(event.Err)
	case *interop.Ended:
		c.messages.Fail(event.Err)
		c.results.Fail(event.Err)
	}
	return nil
}

// introduce exchanges a message each way with every contact, so that all sessions are set up.
func (c *measuredClient) introduce(ctx context.Context, contacts []*peer.Contact) error {
	if err := c.sendAll(ctx, contacts, 1); err != nil {
		return err
	}
	before := c.messages.Count()
	for _, contact := range contacts {
		if _, err := contact.Read(ctx); err != nil {
			return err
		}
		answer, err := contact.Prepare(ctx, "hello to you, too")
		if err == nil {
			err = contact.Send(ctx, answer)
		}
		if err != nil {
			return err
		}
	}
	return c.messages.Wait(ctx, before+len(contacts))
}

// sendAll sends messages to every contact and waits until all of them have all.
func (c *measuredClient) sendAll(ctx context.Context, contacts []*peer.Contact, each int) error {
	var before []int
	for _, contact := range contacts {
		before = append(before, contact.Received.Count())
	}
	if _, err := c.sendUntilAcked(ctx, contacts, each); err != nil {
		return err
	}
	for i, contact := range contacts {
		if err := contact.Received.Wait(ctx, before[i]+each); err != nil {
			return err
		}
	}
	return nil
}

// sendUntilAcked sends messages to every contact and returns how long it took until the gatekeeper had them all.
func (c *measuredClient) sendUntilAcked(ctx context.Context, contacts []*peer.Contact, each int) (time.Duration, error) {
	first := c.sent
	c.sent += len(contacts) * each
	wanted := c.results.Count() + len(contacts)*each
	start := time.Now()
	group, sendCtx := errgroup.WithContext(ctx)
	for i, contact := range contacts {
		group.Go(func() error {
			for n := range each {
				ref := fmt.Sprint(first + i*each + n)
				message := &waE2E.Message{Conversation: proto.String(messageText(n))}
				if err := c.Send(sendCtx, contact.JID.ToNonAD(), interop.MessageID(c.account, ref), message, ref); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if err := c.results.Wait(ctx, wanted); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// sendRate returns how many messages a second the gatekeeper took, and checks that the contacts can read them.
func (c *measuredClient) sendRate(ctx context.Context, l *lone, each int) (float64, error) {
	var before []int
	for _, contact := range l.contacts {
		contact.Discard()
		before = append(before, contact.Received.Count())
	}
	took, err := c.sendUntilAcked(ctx, l.contacts, each)
	if err != nil {
		return 0, err
	}
	for i, contact := range l.contacts {
		if err = contact.Received.Wait(ctx, before[i]+each); err != nil {
			return 0, err
		}
		texts, err := contact.Read(ctx)
		if err != nil {
			return 0, err
		}
		if err = checkTexts(texts, each); err != nil {
			return 0, fmt.Errorf("%s: %w", contact.JID, err)
		}
	}
	return rate(len(l.contacts)*each, took), nil
}

// receiveRate returns how many messages a second the handler got.
func (c *measuredClient) receiveRate(ctx context.Context, l *lone, each int) (float64, error) {
	stanzas := make([][][]byte, len(l.contacts))
	var delivered []int
	for i, contact := range l.contacts {
		var err error
		if stanzas[i], err = contact.Prepare(ctx, messageTexts(each)...); err != nil {
			return 0, err
		}
		delivered = append(delivered, contact.Delivered.Count())
	}
	wanted := c.messages.Count() + len(l.contacts)*each
	start := time.Now()
	group, sendCtx := errgroup.WithContext(ctx)
	for i, contact := range l.contacts {
		group.Go(func() error { return contact.Send(sendCtx, stanzas[i]) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if err := c.messages.Wait(ctx, wanted); err != nil {
		return 0, err
	}
	took := time.Since(start)
	for i, contact := range l.contacts {
		if err := contact.Delivered.Wait(ctx, delivered[i]+each); err != nil {
			return 0, err
		}
	}
	return rate(len(l.contacts)*each, took), nil
}

func rate(messages int, took time.Duration) float64 { return float64(messages) / took.Seconds() }

// messageText is one of a round's messages, of the usual length.
func messageText(number int) string { return fmt.Sprintf("message %d, as long as they are", number) }

func messageTexts(count int) []string {
	texts := make([]string, count)
	for n := range texts {
		texts[n] = messageText(n)
	}
	return texts
}

// checkTexts holds a chat's messages to what was sent, in its order.
func checkTexts(texts []string, sent int) error {
	if len(texts) != sent {
		return fmt.Errorf("%w: %d of %d", errLost, len(texts), sent)
	}
	for n, text := range texts {
		if text != messageText(n) {
			return fmt.Errorf("%w: number %d", errLost, n)
		}
	}
	return nil
}
