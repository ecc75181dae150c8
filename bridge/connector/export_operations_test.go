package connector

import (
	"maunium.net/go/mautrix/bridgev2/status"

	"postern/bridge/metrics"
	"postern/interop"
)

// Metered is the handler that an interop client gets.
func Metered(handler interop.Handler, counters *metrics.Metrics, gatekeeper string) interop.Handler {
	return &meteredHandler{Handler: handler, metrics: counters, gatekeeper: gatekeeper}
}

// LapsedState is what a user is told whose enlistment has ended.
func LapsedState(c *Client) status.BridgeState { return c.lapsedState() }
