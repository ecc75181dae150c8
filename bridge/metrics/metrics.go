package metrics

import (
	"database/sql"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// other is the label of what is not in a list.
const other = "other"

// What became of a message.
const (
	Delivered     = "delivered"     // to Matrix: it is in the room
	Undecryptable = "undecryptable" // to Matrix: a placeholder is
	Accepted      = "accepted"      // to a contact: the gatekeeper has it
	Refused       = "refused"       // to a contact: the gatekeeper will not take it, or it cannot be made
	Unsupported   = "unsupported"   // to a contact: it cannot be sent, and the sender was told at once
)

// Directions of messages and files.
const (
	toMatrix  = "to_matrix"
	toContact = "to_contact"
)

var (
	// messageBuckets are seconds: a tenth of a second is usual, minutes happen when a side is away.
	messageBuckets = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600}
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	queryBuckets   = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 1, 5}
)

// Options say what may be a label.
type Options struct {
	Version     string
	Gatekeepers []string
	// Kinds of messages, and Incidents that are told to Incident.
	Kinds, Incidents []string
	// Database is asked for its connections; nil is not.
	Database *sql.DB
	// State is asked at most every few seconds; nil is not. See [State].
	State StateFunc
}

// Metrics holds all counters.
type Metrics struct {
	registry                      *prometheus.Registry
	gatekeepers, kinds, incidents []string

	messages           *prometheus.CounterVec
	messageSeconds     *prometheus.HistogramVec
	incidentsTotal     *prometheus.CounterVec
	disconnects        *prometheus.CounterVec
	wakes              *prometheus.CounterVec
	mediaBytes         *prometheus.CounterVec
	partnerRequests    *prometheus.CounterVec
	homeserverRequests *prometheus.CounterVec
	homeserverSeconds  prometheus.Histogram
	querySeconds       *prometheus.HistogramVec
	queryErrors        prometheus.Counter
	state              *stateCollector // nil without State
}

// New makes the counters of one daemon. Series that must be there before something happens, so that alerts see the first, are.
func New(options Options) *Metrics {
	m := &Metrics{
		registry:    prometheus.NewRegistry(),
		gatekeepers: options.Gatekeepers, kinds: options.Kinds, incidents: options.Incidents,

		messages: counters("messages_total", "Messages that were bridged, or not, by what became of them.",
			"gatekeeper", "direction", "kind", "result"),
		messageSeconds: histograms("message_seconds",
			"From the gatekeeper's stanza to the event in the room, and from the event to the gatekeeper's acknowledgement.",
			messageBuckets, "gatekeeper", "direction"),
		incidentsTotal: counters("incidents_total", "Retries, by why: asked_again, sent_again, not_sent_again, postponed, handler_failed.",
			"gatekeeper", "incident"),
		disconnects: counters("disconnects_total", "Chat channels that went down or could not be opened, by why.", "gatekeeper", "reason"),
		wakes:       counters("wakes_total", "Pushes of a gatekeeper that were taken.", "gatekeeper"),
		mediaBytes:  counters("media_bytes_total", "Bytes of files that were carried.", "gatekeeper", "direction"),
		partnerRequests: counters("partner_requests_total", "Requests to the partner server, by what was asked for and the HTTP status.",
			"route", "status"),
		homeserverRequests: counters("homeserver_requests_total", "Requests to the homeserver, by how it answered.", "result"),
		homeserverSeconds: prometheus.NewHistogram(histogramOpts("homeserver_request_seconds",
			"How long the homeserver took to begin an answer, without syncs.", requestBuckets)),
		querySeconds: histograms("database_query_seconds", "How long statements took, with the wait for a connection.", queryBuckets, "method"),
		queryErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "database_errors_total", Help: "Statements that failed, constraints that were violated included.",
		}),
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version that runs.",
		ConstLabels: prometheus.Labels{"version": options.Version, "goversion": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(
		m.messages, m.messageSeconds, m.incidentsTotal, m.disconnects, m.wakes, m.mediaBytes, m.partnerRequests,
		m.homeserverRequests, m.homeserverSeconds, m.querySeconds, m.queryErrors, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if options.Database != nil {
		m.registry.MustRegister(collectors.NewDBStatsCollector(options.Database, namespace))
	}
	if options.State != nil {
		m.state = newStateCollector(options.State, m.gatekeeper)
		m.registry.MustRegister(m.state)
	}
	m.begin()
	return m
}

const namespace = "postern"

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(histogramOpts(name, help, buckets), labels)
}

func histogramOpts(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}
}

// begin makes the series whose first event matters at zero: Prometheus sees no increase in a series that begins with 1.
func (m *Metrics) begin() {
	for _, gatekeeper := range m.gatekeepers {
		for _, incident := range m.incidents {
			m.incidentsTotal.WithLabelValues(gatekeeper, incident)
		}
		for _, reason := range disconnectReasons {
			m.disconnects.WithLabelValues(gatekeeper, reason)
		}
		for _, direction := range []string{toMatrix, toContact} {
			m.messageSeconds.WithLabelValues(gatekeeper, direction)
			m.mediaBytes.WithLabelValues(gatekeeper, direction)
		}
		m.wakes.WithLabelValues(gatekeeper)
		m.messages.WithLabelValues(gatekeeper, toMatrix, other, Undecryptable)
		m.messages.WithLabelValues(gatekeeper, toContact, "text", Refused)
	}
	for _, result := range homeserverResults {
		m.homeserverRequests.WithLabelValues(result)
	}
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	// More than a few scrapes at once are a mistake, and each may ask the database.
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2, Registry: m.registry})
}

func (m *Metrics) gatekeeper(id string) string { return oneOf(m.gatekeepers, id) }

func oneOf(list []string, value string) string {
	if slices.Contains(list, value) {
		return value
	}
	return other
}

// ToMatrix counts a contact's message that was handled. took is since it came; it is not noted if it is 0.
func (m *Metrics) ToMatrix(gatekeeper, kind, result string, took time.Duration) {
	m.message(gatekeeper, toMatrix, kind, result, took)
}

// ToContact counts a user's message whose fate is known. took is since the user sent it; it is not noted if it is 0.
func (m *Metrics) ToContact(gatekeeper, kind, result string, took time.Duration) {
	m.message(gatekeeper, toContact, kind, result, took)
}

func (m *Metrics) message(gatekeeper, direction, kind, result string, took time.Duration) {
	if m == nil {
		return
	}
	gatekeeper = m.gatekeeper(gatekeeper)
	m.messages.WithLabelValues(gatekeeper, direction, oneOf(m.kinds, kind), result).Inc()
	if took > 0 {
		m.messageSeconds.WithLabelValues(gatekeeper, direction).Observe(took.Seconds())
	}
}

// Incident counts one of the incidents of the options.
func (m *Metrics) Incident(gatekeeper, incident string) {
	if m != nil {
		m.incidentsTotal.WithLabelValues(m.gatekeeper(gatekeeper), oneOf(m.incidents, incident)).Inc()
	}
}

// Why a chat channel went down.
const (
	Untrusted    = "untrusted_server"
	TokenRefused = "token_refused"
	Replaced     = "replaced"
	NotEnlisted  = "not_enlisted"
	Outdated     = "outdated"
)

var disconnectReasons = []string{Untrusted, TokenRefused, Replaced, NotEnlisted, Outdated, other}

// Disconnected counts a chat channel that went down. A reason that is none of this package's is "other".
func (m *Metrics) Disconnected(gatekeeper, reason string) {
	if m != nil {
		m.disconnects.WithLabelValues(m.gatekeeper(gatekeeper), oneOf(disconnectReasons, reason)).Inc()
	}
}

// Wake counts a push.
func (m *Metrics) Wake(gatekeeper string) {
	if m != nil {
		m.wakes.WithLabelValues(m.gatekeeper(gatekeeper)).Inc()
	}
}

// FileToMatrix returns the reader with its bytes counted.
func (m *Metrics) FileToMatrix(gatekeeper string, file io.ReadCloser) io.ReadCloser {
	if m == nil || file == nil {
		return file
	}
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(file, countingWriter{m.mediaBytes.WithLabelValues(m.gatekeeper(gatekeeper), toMatrix)}), file}
}

// FileToContact returns the writer with its bytes counted.
func (m *Metrics) FileToContact(gatekeeper string, file io.Writer) io.Writer {
	if m == nil {
		return file
	}
	return io.MultiWriter(file, countingWriter{m.mediaBytes.WithLabelValues(m.gatekeeper(gatekeeper), toContact)})
}

type countingWriter struct{ counter prometheus.Counter }

func (w countingWriter) Write(data []byte) (int, error) {
	w.counter.Add(float64(len(data)))
	return len(data), nil
}

// PartnerRequest counts a request to the partner server. route must be one of few.
func (m *Metrics) PartnerRequest(route string, status int) {
	if m != nil {
		m.partnerRequests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	}
}

// Query notes a statement to the database. method must be one of few.
func (m *Metrics) Query(method string, took time.Duration, failed bool) {
	if m == nil {
		return
	}
	m.querySeconds.WithLabelValues(method).Observe(took.Seconds())
	if failed {
		m.queryErrors.Inc()
	}
}
