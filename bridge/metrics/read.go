package metrics

import (
	"fmt"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Reading is what a daemon's metrics said at one moment.
type Reading struct {
	// MaxFiles is how many files the process may have open, 0 if it does not tell.
	MaxFiles uint64
	// Delivered and Undecryptable count messages of contacts since the start, by gatekeeper. Disconnects count by gatekeeper and reason.
	Delivered, Undecryptable map[string]int
	Disconnects              map[Pair]int
	// Connections are users, by gatekeeper and state.
	Connections map[Pair]int
}

// Read reads what [Metrics.Handler] wrote, in Prometheus' text format. The caller bounds it.
func Read(text io.Reader) (*Reading, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("failed to read metrics: %w", err)
	}
	read := &Reading{Delivered: map[string]int{}, Undecryptable: map[string]int{}, Disconnects: map[Pair]int{}, Connections: map[Pair]int{}}
	for _, metric := range families["process_max_fds"].GetMetric() {
		if limit := metric.GetGauge().GetValue(); limit > 0 && limit < 1<<62 {
			read.MaxFiles = uint64(limit)
		}
	}
	for _, metric := range families[namespace+"_messages_total"].GetMetric() {
		if label(metric, "direction") != toMatrix {
			continue
		}
		switch gatekeeper, count := label(metric, "gatekeeper"), int(metric.GetCounter().GetValue()); label(metric, "result") {
		case Delivered:
			read.Delivered[gatekeeper] += count
		case Undecryptable:
			read.Undecryptable[gatekeeper] += count
		}
	}
	for _, metric := range families[namespace+"_disconnects_total"].GetMetric() {
		read.Disconnects[Pair{label(metric, "gatekeeper"), label(metric, "reason")}] = int(metric.GetCounter().GetValue())
	}
	for _, metric := range families[namespace+"_connections"].GetMetric() {
		read.Connections[Pair{label(metric, "gatekeeper"), label(metric, "state")}] = int(metric.GetGauge().GetValue())
	}
	return read, nil
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
