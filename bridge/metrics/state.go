package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// State is what there is at a moment, by gatekeeper.
type State struct {
	// Connections counts the enlisted users by how they are connected, Enlistments all that are stored by their state.
	Connections, Enlistments map[Pair]int
	// Outbox is what waits for the gatekeeper, in the database. Inbox is how many events of gatekeepers wait for Matrix, in memory.
	Outbox map[string]Queue
	Inbox  map[string]int
}

// Pair is a gatekeeper and a state. States must be few.
type Pair struct{ Gatekeeper, State string }

// Queue is how many messages wait, and since when the oldest does.
type Queue struct {
	Messages int
	Oldest   time.Time
}

// StateFunc looks the state up.
type StateFunc func(ctx context.Context) (*State, error)

const (
	// stateAge is how old a state may be that is given out: two servers may scrape, and looking up asks the database.
	stateAge     = 5 * time.Second
	stateTimeout = 5 * time.Second
)

// stateCollector asks for the state at a scrape. If that fails, its gauges are missing and an error is counted.
type stateCollector struct {
	look       StateFunc
	gatekeeper func(string) string
	errors     prometheus.Counter

	lock  sync.Mutex
	state *State
	at    time.Time

	connections, enlistments, outbox, outboxAge, inbox *prometheus.Desc
}

func newStateCollector(look StateFunc, gatekeeper func(string) string) *stateCollector {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"gatekeeper"}, labels...), nil)
	}
	return &stateCollector{
		look: look, gatekeeper: gatekeeper,
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "state_errors_total", Help: "Scrapes without the gauges that the database is asked for.",
		}),
		connections: gauge("connections", "Enlisted users by how they are connected.", "state"),
		enlistments: gauge("enlistments", "Enlistments by their state.", "state"),
		outbox:      gauge("outbox_messages", "Messages of users that wait for the gatekeeper."),
		outboxAge:   gauge("outbox_oldest_seconds", "How long the oldest of them has waited, 0 without one."),
		inbox:       gauge("inbox_events", "What came from the gatekeeper and is not handled yet."),
	}
}

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(into chan<- *prometheus.Desc) {
	c.errors.Describe(into)
	for _, desc := range []*prometheus.Desc{c.connections, c.enlistments, c.outbox, c.outboxAge, c.inbox} {
		into <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(into chan<- prometheus.Metric) {
	state := c.current()
	c.errors.Collect(into)
	if state == nil {
		return
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		into <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for of, counts := range map[*prometheus.Desc]map[Pair]int{c.connections: state.Connections, c.enlistments: state.Enlistments} {
		for pair, count := range c.merged(counts) {
			gauge(of, float64(count), pair.Gatekeeper, pair.State)
		}
	}
	now := time.Now()
	for gatekeeper, queue := range state.Outbox {
		if c.gatekeeper(gatekeeper) == other {
			continue // nobody sends to one that is not in the config any more
		}
		age := 0.0
		if queue.Messages > 0 {
			age = max(0, now.Sub(queue.Oldest).Seconds())
		}
		gauge(c.outbox, float64(queue.Messages), gatekeeper)
		gauge(c.outboxAge, age, gatekeeper)
	}
	for gatekeeper, count := range state.Inbox {
		if c.gatekeeper(gatekeeper) != other {
			gauge(c.inbox, float64(count), gatekeeper)
		}
	}
}

// merged puts gatekeepers together that are not in the config.
func (c *stateCollector) merged(counts map[Pair]int) map[Pair]int {
	merged := make(map[Pair]int, len(counts))
	for pair, count := range counts {
		merged[Pair{c.gatekeeper(pair.Gatekeeper), pair.State}] += count
	}
	return merged
}

// current returns a state that is not too old, nil if there is none to be had.
func (c *stateCollector) current() *State {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.state != nil && time.Since(c.at) < stateAge {
		return c.state
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	state, err := c.look(ctx)
	if err != nil {
		c.errors.Inc()
		state = nil
	}
	c.state, c.at = state, time.Now()
	return state
}
