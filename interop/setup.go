package interop

import (
	"context"
	"fmt"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
)

const (
	// receivedKept is how long hashes of delivered messages are kept: longer than a message can wait in the gatekeeper's
	// mailbox, which is 30 days, and longer than a signed prekey lives, which is signedPreKeyAge and signedPreKeyKept
	// together: while it does, the first message of a session could be delivered again.
	receivedKept = 60 * 24 * time.Hour
	// maintainEvery is how often a channel that stays up looks after what grows old.
	maintainEvery = 24 * time.Hour
)

// setUp does what follows a login: it makes sure that contacts can start sessions, and asks for what waits. It runs in a
// goroutine of its own, since the answers are read by the connection's.
func (c *connection) setUp() {
	r := c.run
	if err := r.ensureSignedPreKey(r.handling); err != nil {
		// Without it the first message of every new contact would be undecryptable.
		c.close(err)
		return
	}
	if err := c.activate(r.ctx); err != nil {
		c.close(fmt.Errorf("failed to ask for messages: %w", err))
		return
	}
	c.maintain()
	c.ready.Store(true)
}

// maintain renews what grows old and forgets what did. It runs after every login and once a day, in a goroutine of its own.
func (c *connection) maintain() {
	r := c.run
	if err := c.rotateSignedPreKey(r.ctx); err != nil {
		r.log.Warn().Err(err).Msg("Failed to renew the signed prekey, trying again within a day")
	}
	if err := c.topUpPreKeys(r.ctx, -1); err != nil {
		r.log.Warn().Err(err).Msg("Failed to upload prekeys, trying again within a day")
	}
	if err := r.client.options.Store.PruneSentPreKeys(r.handling, maxSentPreKeys, r.client.options.Clock.Now().Add(-sentPreKeyKept)); err != nil {
		r.log.Warn().Err(err).Msg("Failed to forget old prekeys of retry receipts")
	}
	if err := r.client.options.Store.PruneReceived(r.handling, r.client.options.Clock.Now().Add(-receivedKept)); err != nil {
		r.log.Warn().Err(err).Msg("Failed to forget old deliveries")
	}
}

// activate tells the gatekeeper to deliver messages.
func (c *connection) activate(ctx context.Context) error {
	_, err := c.ask(ctx, request{namespace: "passive", kind: "set", content: []waBinary.Node{{Tag: "active"}}})
	return err
}
