package connector

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/metrics"
	"postern/interop"
)

// meteredHandler counts what an interop client tells, once its handler has dealt with it.
type meteredHandler struct {
	interop.Handler
	metrics    *metrics.Metrics
	gatekeeper string
}

// HandleEvent implements interop.Handler.
func (h *meteredHandler) HandleEvent(ctx context.Context, event interop.Event) error {
	err := h.Handler.HandleEvent(ctx, event)
	if err == nil {
		h.count(event)
	}
	return err
}

func (h *meteredHandler) count(event interop.Event) {
	switch event := event.(type) {
	case *interop.Message:
		var took time.Duration
		if !event.Offline { // how long it waited for us is not our speed
			took = time.Since(event.Received)
		}
		h.metrics.ToMatrix(h.gatekeeper, interop.KindOf(event.Message), metrics.Delivered, took)
	case *interop.Undecryptable:
		h.metrics.ToMatrix(h.gatekeeper, "other", metrics.Undecryptable, 0)
	case *interop.SendResult:
		if event.Err != nil {
			h.metrics.ToContact(h.gatekeeper, event.Kind, metrics.Refused, 0)
		} else {
			h.metrics.ToContact(h.gatekeeper, event.Kind, metrics.Accepted, time.Since(event.Queued))
		}
	case *interop.Disconnected:
		h.metrics.Disconnected(h.gatekeeper, disconnectReason(event.Err))
	case *interop.Ended:
		h.metrics.Disconnected(h.gatekeeper, disconnectReason(event.Err))
	}
}

func disconnectReason(err error) string {
	for reason, sentinel := range map[string]error{
		metrics.Untrusted: interop.ErrUntrustedServer, metrics.TokenRefused: interop.ErrTokenRefused, metrics.Replaced: interop.ErrReplaced,
		metrics.NotEnlisted: interop.ErrNotEnlisted, metrics.Outdated: interop.ErrOutdated,
	} {
		if errors.Is(err, sentinel) {
			return reason
		}
	}
	return ""
}

// metered gives the options of an interop client what counts.
func (n *Network) metered(options interop.Options) interop.Options {
	gatekeeper := options.Gatekeeper.ID
	options.Handler = &meteredHandler{Handler: options.Handler, metrics: n.Metrics, gatekeeper: gatekeeper}
	options.Observe = func(incident interop.Incident) { n.Metrics.Incident(gatekeeper, string(incident)) }
	return options
}

// countUnsent counts what a user sent and what is no message for the contact.
func (c *Client) countUnsent(err error) {
	if err != nil && c.gatekeeper != nil {
		c.network.Metrics.ToContact(c.gatekeeper.ID, "other", metrics.Unsupported, 0)
	}
}

// states of connections for metrics.
const (
	connectionUp        = metrics.StateConnected
	connectionTrying    = "connecting"
	connectionResting   = "resting" // on demand, and not needed now
	connectionSuspended = "suspended"
)

// ConnectionStates are how an enlisted user can be connected, as [Network.State] and [Network.ConnectionsOf] say it.
var ConnectionStates = []string{connectionUp, connectionTrying, connectionResting, connectionSuspended}

// ConnectionsOf returns how a user's logins are connected, one of ConnectionStates by gatekeeper, as far as they are loaded.
func (n *Network) ConnectionsOf(user id.UserID) map[string]string {
	connections := make(map[string]string)
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		if client, ok := login.Client.(*Client); ok && login.UserMXID == user && client.interop != nil && !client.ended.Load() {
			connections[client.gatekeeper.ID] = client.connectionState()
		}
	}
	return connections
}

func pairOf(gatekeeper, state string) metrics.Pair {
	return metrics.Pair{Gatekeeper: gatekeeper, State: state}
}

// State is a metrics.StateFunc.
func (n *Network) State(ctx context.Context) (*metrics.State, error) {
	state := &metrics.State{
		Connections: make(map[metrics.Pair]int), Enlistments: make(map[metrics.Pair]int),
		Outbox: make(map[string]metrics.Queue), Inbox: make(map[string]int),
	}
	for _, entry := range n.Gatekeepers {
		state.Outbox[entry.ID], state.Inbox[entry.ID] = metrics.Queue{}, 0
		for _, connection := range ConnectionStates {
			state.Connections[pairOf(entry.ID, connection)] = 0
		}
	}
	enlistments, err := n.enlistments.CountEnlistments(ctx)
	if err != nil {
		return nil, err
	}
	outbox, err := n.enlistments.CountOutbox(ctx)
	if err != nil {
		return nil, err
	}
	unloaded := make(map[string]int)
	for _, count := range enlistments {
		state.Enlistments[pairOf(count.Gatekeeper, string(count.State))] = count.Count
		if count.State == "enlisted" {
			unloaded[count.Gatekeeper] = count.Count
		}
	}
	for _, count := range outbox {
		state.Outbox[count.Gatekeeper] = metrics.Queue{Messages: count.Count, Oldest: count.Oldest}
	}
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		client, ok := login.Client.(*Client)
		if !ok || client.interop == nil || client.ended.Load() {
			continue
		}
		gatekeeper := client.gatekeeper.ID
		unloaded[gatekeeper]--
		state.Connections[pairOf(gatekeeper, client.connectionState())]++
		state.Inbox[gatekeeper] += client.interop.Waiting()
	}
	for _, entry := range n.Gatekeepers {
		if rest := unloaded[entry.ID]; rest > 0 && entry.Idle > 0 { // nobody needed them since the start
			state.Connections[pairOf(entry.ID, connectionResting)] += rest
		}
	}
	return state, nil
}

func (c *Client) connectionState() string {
	switch {
	case c.suspended:
		return connectionSuspended
	case c.interop.IsConnected():
		return connectionUp
	case c.attendance != nil && c.attendance.IsAway():
		return connectionResting
	default:
		return connectionTrying
	}
}

// AnyConnected tells whether anybody is connected with a gatekeeper, which shows that it answers.
func (n *Network) AnyConnected(gatekeeper string) bool {
	for _, login := range n.bridge.GetAllCachedUserLogins() {
		if client, ok := login.Client.(*Client); ok && client.interop != nil && client.gatekeeper.ID == gatekeeper && client.interop.IsConnected() {
			return true
		}
	}
	return false
}
