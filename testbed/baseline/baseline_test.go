package baseline_test

import (
	"testing"

	"postern/testbed/baseline"
	"postern/testbed/homeserver"
	"postern/testbed/servertest"
)

func TestBaselinesAreMeasured(t *testing.T) {
	ctx := servertest.Context(t, servertest.Limit)
	server := servertest.Start(t, homeserver.Options{})
	rate, err := baseline.SendRate(ctx, server, 2, 10)
	if err != nil {
		t.Fatal(err)
	}
	if rate <= 0 {
		t.Errorf("the rate is %f", rate)
	}
	latencies, err := baseline.SendLatency(ctx, server, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(latencies) != 5 {
		t.Fatalf("got %d latencies", len(latencies))
	}
	for _, latency := range latencies {
		if latency <= 0 {
			t.Errorf("a latency is %s", latency)
		}
	}
	t.Logf("%.0f events/s, latencies %v", rate, latencies)
}
