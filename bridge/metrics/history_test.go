package metrics_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"postern/bridge/metrics"
)

func TestHistoryHoldsWhatHappenedBetweenSamples(t *testing.T) {
	state := &metrics.State{
		Connections: map[metrics.Pair]int{{Gatekeeper: "wa", State: metrics.StateConnected}: 2, {Gatekeeper: "wa", State: "connecting"}: 1},
		Outbox:      map[string]metrics.Queue{"wa": {Messages: 4}}, Inbox: map[string]int{"wa": 3},
	}
	var failure error
	m := newMetrics(func(context.Context) (*metrics.State, error) { return state, failure })
	m.ToMatrix("wa", "text", metrics.Delivered, time.Second)
	now := time.Unix(1_800_000_000, 0)
	history := metrics.NewHistory(m, now)
	if got := history.Samples(10); len(got) != 0 {
		t.Errorf("got %+v before the first sample", got)
	}
	m.ToMatrix("wa", "text", metrics.Delivered, 75*time.Millisecond)
	m.ToMatrix("wa", "text", metrics.Undecryptable, 0)
	m.ToContact("wa", "text", metrics.Accepted, time.Hour)
	history.Sample(now.Add(metrics.SampleEvery))
	m.ToMatrix("wa", "text", metrics.Delivered, 75*time.Millisecond)
	failure = errors.New("the database is away")
	history.Sample(now.Add(2 * metrics.SampleEvery))
	got := history.Samples(10)
	if len(got) != 2 || got[0].ToMatrix.Messages != 2 || got[0].ToContact.Messages != 1 || got[1].ToMatrix.Messages != 1 || got[1].ToContact.Messages != 0 {
		t.Fatalf("got %+v", got)
	}
	if !got[0].From.Equal(now) || !got[1].To.Equal(now.Add(2*metrics.SampleEvery)) {
		t.Errorf("from %v to %v", got[0].From, got[1].To)
	}
	for i, sample := range got {
		if sample.Outbox != 4 || sample.Inbox != 3 || sample.Connected != 2 {
			t.Errorf("sample %d has %+v", i, sample)
		}
	}
	one := history.Samples(1)
	if len(one) != 1 || one[0].ToMatrix.Messages != 3 || !one[0].From.Equal(now) || !one[0].To.Equal(got[1].To) {
		t.Errorf("put together %+v", one)
	}
	// Both of the messages whose delay was noted are in the bucket from 50 to 100 ms: its middle is the estimate.
	if delay, ok := one[0].ToMatrix.Delay(.5); !ok || delay != 75*time.Millisecond {
		t.Errorf("half of the messages took %v, %v", delay, ok)
	}
	if delay, ok := one[0].ToContact.Delay(.95); !ok || delay < time.Minute || delay > time.Hour {
		t.Errorf("the slow one took %v, %v", delay, ok)
	}
	if _, ok := got[1].ToContact.Delay(.5); ok {
		t.Error("there is a delay without messages")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	history := metrics.NewHistory(newMetrics(nil), time.Unix(0, 0))
	for i := range 2000 {
		history.Sample(time.Unix(0, 0).Add(time.Duration(i+1) * metrics.SampleEvery))
	}
	got := history.Samples(5000)
	if want := int(metrics.HistoryLength / metrics.SampleEvery); len(got) != want {
		t.Errorf("there are %d samples, want %d", len(got), want)
	}
	if last := got[len(got)-1].To; !last.Equal(time.Unix(0, 0).Add(2000 * metrics.SampleEvery)) {
		t.Errorf("the last is of %v", last)
	}
	if few := history.Samples(100); len(few) > 100 || !few[0].From.Equal(got[0].From) || !few[len(few)-1].To.Equal(got[len(got)-1].To) {
		t.Errorf("%d samples from %v to %v", len(few), few[0].From, few[len(few)-1].To)
	}
}

func TestADelayBeyondAllBoundsIsTheLastBound(t *testing.T) {
	m := newMetrics(nil)
	history := metrics.NewHistory(m, time.Now())
	m.ToContact("wa", "text", metrics.Accepted, 48*time.Hour)
	history.Sample(time.Now())
	if delay, ok := history.Samples(1)[0].ToContact.Delay(.5); !ok || delay != time.Hour {
		t.Errorf("got %v, %v", delay, ok)
	}
}
