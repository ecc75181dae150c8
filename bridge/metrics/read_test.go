package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"postern/bridge/metrics"
)

func written(m *metrics.Metrics) string {
	recorder := httptest.NewRecorder()
	m.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	return recorder.Body.String()
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	m := metrics.New(metrics.Options{Gatekeepers: []string{"wa"}, Kinds: []string{"text"}})
	m.ToMatrix("wa", "text", metrics.Delivered, 0)
	m.ToMatrix("wa", "text", metrics.Delivered, 0)
	m.ToMatrix("wa", "other", metrics.Undecryptable, 0)
	m.ToContact("wa", "text", metrics.Accepted, 0)
	m.Disconnected("wa", metrics.Outdated)
	read, err := metrics.Read(strings.NewReader(written(m)))
	if err != nil {
		t.Fatal(err)
	}
	if read.Delivered["wa"] != 2 || read.Undecryptable["wa"] != 1 || read.Disconnects[metrics.Pair{Gatekeeper: "wa", State: metrics.Outdated}] != 1 {
		t.Errorf("read %+v", read)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(metrics.New(metrics.Options{Gatekeepers: []string{"wa"}})))
	f.Add("process_max_fds 1024\n")
	f.Add("process_max_fds NaN\npostern_connections{gatekeeper=\"wa\",state=\"connected\"} 1e300\n")
	f.Add("postern_messages_total{direction=\"to_matrix\",result=\"delivered\"} 1\n")
	f.Add("{}")
	f.Add("# TYPE postern_messages_total histogram\npostern_messages_total_bucket{le=\"+Inf\"} 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if read, err := metrics.Read(strings.NewReader(text)); err == nil && read == nil {
			t.Error("neither a reading nor an error")
		}
	})
}
