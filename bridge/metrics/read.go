package metrics

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
)

// Reading is what a daemon's metrics said at one moment.
type Reading struct {
	// MaxFiles is how many files the process may have open, 0 if it does not tell.
	MaxFiles uint64
	// Delivered and Undecryptable count messages of contacts since the start, by gatekeeper. Disconnects count by gatekeeper and reason.
	Delivered, Undecryptable map[string]uint64
	Disconnects              map[Pair]uint64
	// Connections are users, by gatekeeper and state.
	Connections map[Pair]uint64
}

var (
	// sampleLine is a line of Prometheus' text format as we write it: no label of ours holds a quotation mark.
	sampleLine  = regexp.MustCompile(`^([a-z_]+)(\{[^}]*\})? ([0-9.e+]+)$`)
	sampleLabel = regexp.MustCompile(`([a-z_]+)="([^"]*)"`)
)

// maxReading bounds a value that is believed.
const maxReading = 1 << 53

// Read reads what [Metrics.Handler] wrote, and skips what it does not know. The caller bounds it. Prometheus' own parser is made for
// friendly input: fuzzing made it panic.
func Read(text io.Reader) (*Reading, error) {
	read := &Reading{
		Delivered: map[string]uint64{}, Undecryptable: map[string]uint64{}, Disconnects: map[Pair]uint64{}, Connections: map[Pair]uint64{},
	}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		sample := sampleLine.FindStringSubmatch(lines.Text())
		if sample == nil {
			continue
		}
		value, err := strconv.ParseFloat(sample[3], 64)
		if err != nil || value > maxReading {
			continue
		}
		labels := make(map[string]string)
		for _, label := range sampleLabel.FindAllStringSubmatch(sample[2], -1) {
			labels[label[1]] = label[2]
		}
		read.add(sample[1], labels, uint64(value))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("failed to read metrics: %w", err)
	}
	return read, nil
}

func (r *Reading) add(name string, labels map[string]string, value uint64) {
	gatekeeper := labels["gatekeeper"]
	switch name {
	case "process_max_fds":
		r.MaxFiles = value
	case namespace + "_disconnects_total":
		r.Disconnects[Pair{gatekeeper, labels["reason"]}] = value
	case namespace + "_connections":
		r.Connections[Pair{gatekeeper, labels["state"]}] = value
	case namespace + "_messages_total":
		switch {
		case labels["direction"] != toMatrix:
		case labels["result"] == Delivered:
			r.Delivered[gatekeeper] += value
		case labels["result"] == Undecryptable:
			r.Undecryptable[gatekeeper] += value
		}
	}
}
