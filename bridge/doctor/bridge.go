package doctor

import (
	"context"
	"net"
	"net/http"
	"net/netip"
)

// bridgeState is whether the bridge runs, as others on this machine see it.
type bridgeState int

const (
	// The zero value: it does not run.
	_ bridgeState = iota
	// bridgeStarting: it listens, and waits for something, mostly the homeserver.
	bridgeStarting
	bridgeUp
	// bridgeOther: somebody else is in its place.
	bridgeOther
)

func (s bridgeState) listens() bool { return s == bridgeStarting || s == bridgeUp }

const (
	pingPath  = "/_matrix/app/v1/ping"
	readyPath = "/_matrix/mau/ready" // of the appservice library
)

// findBridge asks who listens for the homeserver, in the way that a homeserver would.
func (e *examination) findBridge(ctx context.Context) Finding {
	const check = "bridge.running"
	listen := e.Config.Appservice.Listen
	here := "http://" + dialable(listen)
	heard, err := e.ask(ctx, http.MethodPost, here+pingPath, e.Config.Appservice.HSToken, map[string]string{"transaction_id": "doctor"})
	if err != nil {
		return note(check, "The bridge does not run: nothing answers at "+listen+" (appservice.listen) here.",
			"Start it for the checks that need it. If it runs in a container, run doctor in there.")
	}
	switch {
	case heard.status == http.StatusOK:
		ready, err := e.ask(ctx, http.MethodGet, here+readyPath, "", nil)
		if err != nil || ready.status != http.StatusOK {
			e.bridge = bridgeStarting
			return warning(check, "The bridge is starting, and waits for something.", "See the other findings, and the bridge's log.")
		}
		e.bridge = bridgeUp
		return fine(check, "The bridge runs.")
	case heard.refusal().Code == "M_UNKNOWN_TOKEN", heard.refusal().Code == "M_FORBIDDEN":
		e.bridge = bridgeOther
		return fault(check, "What listens at "+listen+" (appservice.listen) has another hs_token than this config.",
			"Restart the bridge if the config was changed. If it is another bridge: give one of them another port.")
	default:
		e.bridge = bridgeOther
		return fault(check, "Another program listens at "+listen+" (appservice.listen).",
			"Stop it, or choose another port in appservice.listen and appservice.address; the registration's url has to follow.")
	}
}

// dialable is where this machine reaches a listener.
func dialable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	address, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && address.IsUnspecified() && address.Is4():
		host = "127.0.0.1"
	case err == nil && address.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
