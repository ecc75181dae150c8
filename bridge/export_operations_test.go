package bridge

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/bridge/admin"
	"postern/bridge/connector"
	"postern/bridge/metrics"
	"postern/interop"
)

// Metrics are the daemon's.
func (d *Daemon) Metrics() *metrics.Metrics { return d.metrics }

// Readiness looks whether the daemon of a homeserver and a gatekeeper is ready.
type Readiness struct{ *readiness }

// NewReadiness is of a daemon that runs.
func NewReadiness(homeserver string, chat *url.URL, raw *dbutil.Database, connected func(string) bool) Readiness {
	r := newReadiness(homeserver, raw, &connector.Network{Options: connector.Options{
		Gatekeepers: []*connector.Gatekeeper{{Gatekeeper: &interop.Gatekeeper{ID: "wa", ChatURL: chat}}},
		HTTPClient:  http.DefaultClient,
	}})
	r.isConnected = connected
	r.enter(running)
	return Readiness{r}
}

// Check asks anew.
func (r Readiness) Check(ctx context.Context) []admin.Problem {
	r.at = r.at.AddDate(-1, 0, 0)
	for gatekeeper, probe := range r.asked {
		probe.at = probe.at.AddDate(-1, 0, 0)
		r.asked[gatekeeper] = probe
	}
	return r.check(ctx)
}

// CheckSoon may give an answer of before.
func (r Readiness) CheckSoon(ctx context.Context) []admin.Problem { return r.check(ctx) }

// Stop is what a stop of the daemon does first.
func (r Readiness) Stop() { r.enter(stopping) }

// LogOf is logOf.
var LogOf = logOf

// OpenLogFile is openLogFile.
var OpenLogFile = openLogFile

// LookAgain has the next line looked after.
func (f *logFile) LookAgain() { f.checked = time.Time{} }
