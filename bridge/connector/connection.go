package connector

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"

	"postern/interop"
)

// handleHealth tells the user how the chat channel is doing.
func (c *Client) handleHealth(ctx context.Context, evt interop.Event) {
	log := zerolog.Ctx(ctx)
	switch evt := evt.(type) {
	case *interop.Connected:
		c.settle()
		log.Info().Msg("Connected to the gatekeeper")
		if err := c.network.noteConnected(ctx, c.enlistment.Account); err != nil {
			log.Err(err).Msg("Failed to note that the user was connected")
		}
		c.network.connectionMade(c.gatekeeper)
		if c.attendance != nil {
			c.attendance.Connected()
		}
		c.sendState(status.BridgeState{StateEvent: status.StateConnected})
		c.forgetOldUnfetched(ctx)
		c.forgetOldRequests(ctx)
		c.settleSoon()
		c.compareBlocksSoon()
		c.lookAtIgnored()
		if kept := c.chats.takeReceipts(); len(kept) > 0 {
			c.network.Spawn(func(ctx context.Context) { c.sendKeptReceipts(c.login.Log.WithContext(ctx), kept) })
		}
	case *interop.OfflineDelivered:
		log.Debug().Int("count", evt.Count).Msg("Everything that waited at the gatekeeper is delivered")
	case *interop.Disconnected:
		c.settle()
		log.Warn().Err(evt.Err).Dur("retry_in", evt.RetryIn).Msg("Disconnected from the gatekeeper")
		c.sendState(disconnectedState(c.gatekeeper, evt.Err))
		c.network.connectionFailed(c.gatekeeper, evt.Err)
	case *interop.Ended:
		c.settle()
		c.end()
		log.Error().Err(evt.Err).Msg("The connection to the gatekeeper ended for good")
		c.sendState(endedState(c.gatekeeper, evt.Err))
		if errors.Is(evt.Err, interop.ErrNotEnlisted) {
			c.lapse(ctx)
		} else if isOutdated(evt.Err) {
			c.network.outdated(c.gatekeeper)
		} else {
			c.network.connectionFailed(c.gatekeeper, evt.Err)
		}
	}
}

func (c *Client) sendKeptReceipts(ctx context.Context, kept map[networkid.PortalKey]readSpan) {
	for key, span := range kept {
		if err := c.sendRead(ctx, key, span.after, span.upTo); err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Object("portal_key", key).Msg("Failed to send a read receipt that waited")
		}
	}
}
