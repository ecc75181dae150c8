package homeserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
)

// transactionServer takes what the homeserver pushes. It replaces mautrix' handler of transactions, which answers as
// soon as the events are in a channel, and which takes a transaction with a known id for a repetition: Dendrite sends
// more events under the id of one that failed.
//
// Transactions are handled one at a time, since the homeserver sends the next only after an answer; a repetition waits
// until the first is done, and then finds its events handled.
type transactionServer struct {
	connector *Connector
	http      *http.Server
	serving   sync.WaitGroup
	one       sync.Mutex
	// opened is closed when transactions can be handled, and closed when they no longer can.
	opened, closed       chan struct{}
	ready                atomic.Bool
	openOnce, closedOnce sync.Once
	callers              callers
}

const (
	headerTimeout = 10 * time.Second
	// bodyTimeout bounds reading a request and idleTimeout an unused connection. There is no bound on answering:
	// homeservers give up after 30 to 60 seconds and send the transaction again.
	bodyTimeout    = time.Minute
	idleTimeout    = 3 * time.Minute
	maxHeaderBytes = 16 << 10
	// stopTimeout is how long a stop waits for a transaction that is being handled. If that is not enough, it is not
	// answered, and the homeserver sends it again after the next start.
	stopTimeout = 3 * time.Second
	// maxTransactionEvents bounds each list of a transaction. Synapse sends at most 100, Dendrite 50.
	maxTransactionEvents = 10000
)

func newTransactionServer(c *Connector) *transactionServer {
	return &transactionServer{connector: c, opened: make(chan struct{}), closed: make(chan struct{})}
}

func (s *transactionServer) start(listener net.Listener) {
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.connector.Log.Err(err).Msg("The listener for the homeserver failed")
		}
	})
}

// setReady is called when the connector has started.
func (s *transactionServer) setReady() { s.ready.Store(true) }

// readiness answers those who wait for the start. mautrix has the same path, with a flag that nothing protects.
func (s *transactionServer) readiness(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !s.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, "{}")
}

// open lets transactions in. Until then they wait: a homeserver that is refused may wait minutes before it tries again.
func (s *transactionServer) open() { s.openOnce.Do(func() { close(s.opened) }) }

func (s *transactionServer) stop() {
	s.closedOnce.Do(func() { close(s.closed) })
	if s.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		s.connector.Log.Warn().Err(err).Msg("A transaction is not finished, the homeserver will send it again")
		_ = s.http.Close()
	}
	s.serving.Wait()
}

// handler serves transactions itself and leaves the rest, such as the provisioning interface, to mautrix.
func (s *transactionServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /_matrix/app/v1/transactions/{transaction}", s.transaction)
	mux.HandleFunc("GET /_matrix/app/v1/users/{userID}", s.userQuery)
	mux.HandleFunc("GET "+QueriesPath, s.tellQueries)
	mux.HandleFunc("GET /_matrix/mau/ready", s.readiness)
	mux.Handle(provisioningPath, s.guardProvisioning(s.connector.AS.Router))
	mux.Handle("/", s.connector.AS.Router)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, s.connector.options.MaxTransaction)
		mux.ServeHTTP(w, r)
	})
}

func (s *transactionServer) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *transactionServer) transaction(w http.ResponseWriter, r *http.Request) {
	if !s.isHomeserver(w, r) {
		return
	}
	select {
	case <-s.opened:
	case <-s.closed:
	case <-r.Context().Done():
	}
	if s.isClosed() {
		mautrix.MUnknown.WithMessage("The bridge is stopping").WithStatus(http.StatusServiceUnavailable).Write(w)
		return
	}
	var body bytes.Buffer
	if _, err := io.Copy(&body, r.Body); err != nil {
		mautrix.MNotJSON.WithMessage("Failed to read the transaction").Write(w)
		return
	}
	var transaction appservice.Transaction
	if err := json.Unmarshal(body.Bytes(), &transaction); err != nil {
		s.connector.Log.Error().Str("transaction_id", r.PathValue("transaction")).Msg("A transaction is not valid JSON")
		mautrix.MBadJSON.WithMessage("Failed to parse the transaction").Write(w)
		return
	}
	if !withinLimits(&transaction) {
		s.connector.Log.Error().Str("transaction_id", r.PathValue("transaction")).Msg("A transaction has too many events")
		mautrix.MTooLarge.WithMessage("Too many events").Write(w)
		return
	}
	s.one.Lock()
	defer s.one.Unlock()
	log := s.connector.Log.With().Str("transaction_id", r.PathValue("transaction")).Logger()
	log.Debug().Object("content", &transaction).Msg("Handling a transaction")
	// The request's own context ends when the homeserver hangs up. What was begun is then finished all the same.
	ctx := context.WithValue(log.WithContext(s.connector.life), inTransaction{}, true)
	s.connector.intake.transaction(ctx, &transaction)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// inTransaction is the key of a context in which a transaction is handled.
type inTransaction struct{}

// InTransaction tells whether an event from the homeserver is being handled, rather than a command or a request.
func InTransaction(ctx context.Context) bool { return ctx.Value(inTransaction{}) != nil }

func withinLimits(t *appservice.Transaction) bool {
	return !slices.ContainsFunc([]int{
		len(t.Events), len(t.EphemeralEvents), len(t.ToDeviceEvents), len(t.MSC2409EphemeralEvents),
		len(t.MSC2409ToDeviceEvents), len(t.DeviceOTKCount), len(t.MSC3202DeviceOTKCount),
	}, func(length int) bool { return length > maxTransactionEvents })
}
