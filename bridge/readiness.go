package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/bridge/admin"
	"postern/bridge/connector"
)

const (
	// readinessAge is how old an answer may be that is given again, so that those who ask often cost nothing.
	readinessAge = 3 * time.Second
	// gatekeeperAge is the same for a gatekeeper with whom nobody is connected, and who therefore has to be asked.
	gatekeeperAge = 30 * time.Second
	// probeTimeout bounds each look, which are made side by side.
	probeTimeout = 4 * time.Second
)

// phase is where the daemon stands.
type phase int32

const (
	starting phase = iota
	running
	stopping
)

// readiness finds out whether the bridge does its work. What it says names no user and no address.
type readiness struct {
	phase      atomic.Int32
	homeserver string // address
	database   *dbutil.Database
	// gatekeepers are the names and chat addresses, isConnected tells whether anybody is connected with one.
	gatekeepers []*connector.Gatekeeper
	isConnected func(gatekeeper string) bool
	client      *http.Client // for the homeserver
	outside     *http.Client // for gatekeepers

	lock     sync.Mutex
	problems []admin.Problem
	at       time.Time
	asked    map[string]gatekeeperProbe
}

type gatekeeperProbe struct {
	at  time.Time
	err error
}

func newReadiness(homeserver string, raw *dbutil.Database, network *connector.Network) *readiness {
	return &readiness{
		homeserver: homeserver, database: raw,
		gatekeepers: network.Gatekeepers, isConnected: network.AnyConnected,
		client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, outside: network.HTTPClient,
		asked: make(map[string]gatekeeperProbe),
	}
}

// listenForAdmin returns nil if the config turns it off.
func (d *Daemon) listenForAdmin() (net.Listener, error) {
	if d.cfg.Admin.Listen == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", d.cfg.Admin.Listen)
	if err != nil {
		return nil, fmt.Errorf("failed to listen for the administrator (admin.listen): %w", err)
	}
	return listener, nil
}

func (d *Daemon) adminServer() *admin.Server {
	return &admin.Server{Ready: d.ready.check, Metrics: d.metrics.Handler(), Page: d.page}
}

func (r *readiness) enter(next phase) { r.phase.Store(int32(next)) }

// check returns why the bridge is not ready, nothing if it is.
func (r *readiness) check(ctx context.Context) []admin.Problem {
	switch phase(r.phase.Load()) {
	case stopping:
		return []admin.Problem{{Part: "bridge", Problem: "is stopping"}}
	case starting:
		// Why it is not further, mostly: it waits for the homeserver.
		return append([]admin.Problem{{Part: "bridge", Problem: "is starting"}}, r.look(ctx)...)
	default:
		return r.look(ctx)
	}
}

func (r *readiness) look(ctx context.Context) []admin.Problem {
	r.lock.Lock()
	defer r.lock.Unlock()
	if !r.at.IsZero() && time.Since(r.at) < readinessAge {
		return r.problems
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout) // the answer is for others, too
	defer cancel()
	probes := []struct {
		part  string
		probe func(context.Context) error
	}{
		{"database", r.askDatabase},
		{"homeserver", r.askHomeserver},
	}
	for _, entry := range r.gatekeepers {
		if r.isConnected(entry.ID) {
			continue
		}
		last := r.asked[entry.ID]
		probe := func(ctx context.Context) error { return r.askGatekeeper(ctx, entry.ChatURL) }
		if last.err == nil && time.Since(last.at) < gatekeeperAge {
			continue
		}
		probes = append(probes, struct {
			part  string
			probe func(context.Context) error
		}{"gatekeeper " + entry.ID, probe})
	}
	results := make([]error, len(probes))
	var looks sync.WaitGroup
	for i, one := range probes {
		looks.Go(func() { results[i] = one.probe(ctx) })
	}
	looks.Wait()
	r.problems, r.at = nil, time.Now()
	for i, err := range results {
		if gatekeeper, ok := strings.CutPrefix(probes[i].part, "gatekeeper "); ok {
			r.asked[gatekeeper] = gatekeeperProbe{r.at, err}
		}
		if err != nil {
			r.problems = append(r.problems, admin.Problem{Part: probes[i].part, Problem: "does not answer: " + causeOf(err)})
		}
	}
	return r.problems
}

func (r *readiness) askDatabase(ctx context.Context) error {
	var one int
	return r.database.RawDB.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

var errUnexpectedStatus = errors.New("unexpected status")

func (r *readiness) askHomeserver(ctx context.Context) error {
	return ask(ctx, r.client, strings.TrimRight(r.homeserver, "/")+"/_matrix/client/versions", func(status int) bool { return status == http.StatusOK })
}

// askGatekeeper asks the chat server for what it will not give. Any answer but one of a proxy in front shows that it is there.
func (r *readiness) askGatekeeper(ctx context.Context, chat *url.URL) error {
	target := *chat
	target.Scheme = "http" + strings.TrimPrefix(chat.Scheme, "ws")
	return ask(ctx, r.outside, target.String(), func(status int) bool { return status < http.StatusInternalServerError })
}

func ask(ctx context.Context, client *http.Client, target string, good func(status int) bool) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4<<10)) // so that the connection can be used again
	_ = response.Body.Close()
	if !good(response.StatusCode) {
		return fmt.Errorf("%w %d", errUnexpectedStatus, response.StatusCode)
	}
	return nil
}

// causeOf says why in few words, none of which is an address.
func causeOf(err error) string {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errUnexpectedStatus):
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &certificate):
		return "its certificate is not valid"
	case errors.As(err, &name):
		return "its name cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in " + probeTimeout.String()
	default:
		return "the connection failed"
	}
}
