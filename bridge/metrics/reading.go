package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// StateConnected is the state of those who are connected, in [State].Connections.
const StateConnected = "connected"

// Flow is what went one way in a span of time.
type Flow struct {
	// Messages counts all, whatever became of them.
	Messages int
	// delays counts the messages whose delay was noted by the bucket of message_seconds, the last for those that took longer.
	delays [delayBuckets]int
}

// delayBuckets is len(messageBuckets) and one for infinity.
const delayBuckets = 14

// since is what came to a flow after another one.
func (f Flow) since(before Flow) Flow {
	f.Messages -= before.Messages
	for i := range f.delays {
		f.delays[i] -= before.delays[i]
	}
	return f
}

func (f Flow) plus(other Flow) Flow {
	f.Messages += other.Messages
	for i := range f.delays {
		f.delays[i] += other.delays[i]
	}
	return f
}

// Delay estimates how long the part of the messages took that share says at most, such as 0.95, as Prometheus' histogram_quantile does:
// evenly within a bucket, and at most its last bound. It returns false if there was no message.
func (f Flow) Delay(share float64) (time.Duration, bool) {
	all := 0
	for _, count := range f.delays {
		all += count
	}
	if all == 0 {
		return 0, false
	}
	rank, below := share*float64(all), 0
	for i, count := range f.delays[:len(messageBuckets)] {
		if count > 0 && float64(below+count) >= rank {
			low := 0.0
			if i > 0 {
				low = messageBuckets[i-1]
			}
			seconds := low + (messageBuckets[i]-low)*(rank-float64(below))/float64(count)
			return time.Duration(seconds * float64(time.Second)), true
		}
		below += count
	}
	return time.Duration(messageBuckets[len(messageBuckets)-1] * float64(time.Second)), true
}

// reading is what the counters of messages show at a moment.
type reading struct {
	at                  time.Time
	toMatrix, toContact Flow // since the start
	state               *State
}

// read looks at the counters. They are gathered as for a scrape, since they can only be read so.
func (m *Metrics) read(now time.Time) reading {
	result := reading{at: now, state: m.State()}
	counted := prometheus.NewRegistry()
	counted.MustRegister(m.messages, m.messageSeconds)
	families, err := counted.Gather()
	if err != nil {
		return result // cannot be: both were made here
	}
	for _, family := range families {
		for _, series := range family.GetMetric() {
			flow := &result.toContact
			for _, label := range series.GetLabel() {
				if label.GetName() == "direction" && label.GetValue() == toMatrix {
					flow = &result.toMatrix
				}
			}
			flow.Messages += int(series.GetCounter().GetValue())
			below := 0 // buckets hold what is in those before, too
			for i, bucket := range series.GetHistogram().GetBucket() {
				flow.delays[i] += int(bucket.GetCumulativeCount()) - below
				below = int(bucket.GetCumulativeCount())
			}
			flow.delays[delayBuckets-1] += int(series.GetHistogram().GetSampleCount()) - below
		}
	}
	return result
}

// State is what there is, a few seconds old at most; nil if it cannot be looked up now. It must not be changed.
func (m *Metrics) State() *State {
	if m.state == nil {
		return nil
	}
	return m.state.current()
}
