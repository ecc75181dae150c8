package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/bridge/metrics"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
}

func newMetrics(state metrics.StateFunc) *metrics.Metrics {
	return metrics.New(metrics.Options{
		Version: "1.2.3", Gatekeepers: []string{"wa"}, Kinds: []string{"text", "other"}, Incidents: []string{"postponed"}, State: state,
	})
}

func TestMessagesAreCountedByWhatBecameOfThem(t *testing.T) {
	m := newMetrics(nil)
	m.ToMatrix("wa", "text", metrics.Delivered, 30*time.Millisecond)
	m.ToMatrix("wa", "text", metrics.Delivered, 0)
	m.ToContact("wa", "text", metrics.Refused, 0)
	m.Incident("wa", "postponed")
	m.Disconnected("wa", metrics.Replaced)
	m.Wake("wa")
	m.PartnerRequest("push", 200)
	m.Query("exec", time.Millisecond, true)
	wantLines(t, scrape(t, m),
		`postern_messages_total{direction="to_matrix",gatekeeper="wa",kind="text",result="delivered"} 2`,
		`postern_messages_total{direction="to_contact",gatekeeper="wa",kind="text",result="refused"} 1`,
		`postern_message_seconds_bucket{direction="to_matrix",gatekeeper="wa",le="0.05"} 1`,
		`postern_message_seconds_count{direction="to_matrix",gatekeeper="wa"} 1`,
		`postern_incidents_total{gatekeeper="wa",incident="postponed"} 1`,
		`postern_disconnects_total{gatekeeper="wa",reason="replaced"} 1`,
		`postern_disconnects_total{gatekeeper="wa",reason="outdated"} 0`,
		`postern_wakes_total{gatekeeper="wa"} 1`,
		`postern_partner_requests_total{route="push",status="200"} 1`,
		`postern_database_errors_total 1`,
	)
}

// TestLabelsAreOfTheList: whoever can choose a label can fill the memory, and may put names in.
func TestLabelsAreOfTheList(t *testing.T) {
	m := newMetrics(func(context.Context) (*metrics.State, error) {
		return &metrics.State{
			Enlistments: map[metrics.Pair]int{{"alice", "enlisted"}: 1, {"bob", "enlisted"}: 2},
			Outbox:      map[string]metrics.Queue{"alice": {Messages: 1}}, Inbox: map[string]int{"alice": 1},
		}, nil
	})
	m.ToMatrix("alice", "alice", metrics.Delivered, time.Second)
	m.Incident("alice", "alice")
	m.Disconnected("alice", "alice")
	m.Wake("alice")
	m.FileToContact("alice", io.Discard)
	text := scrape(t, m)
	if strings.Contains(text, "alice") {
		t.Errorf("a label was made up:\n%s", text)
	}
	wantLines(t, text,
		`postern_messages_total{direction="to_matrix",gatekeeper="other",kind="other",result="delivered"} 1`,
		`postern_enlistments{gatekeeper="other",state="enlisted"} 3`)
}

func TestFilesAreCountedOnTheirWay(t *testing.T) {
	m := newMetrics(nil)
	var out bytes.Buffer
	if _, err := io.Copy(m.FileToContact("wa", &out), m.FileToMatrix("wa", io.NopCloser(strings.NewReader("12345")))); err != nil || out.String() != "12345" {
		t.Fatalf("%q, %v", &out, err)
	}
	wantLines(t, scrape(t, m),
		`postern_media_bytes_total{direction="to_matrix",gatekeeper="wa"} 5`, `postern_media_bytes_total{direction="to_contact",gatekeeper="wa"} 5`)
}

func TestHomeserversAnswersAreToldApart(t *testing.T) {
	m := newMetrics(nil)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	request := &http.Request{URL: &url.URL{Path: "/_matrix/client/v3/rooms/!secret:example.org/send"}}
	for _, answer := range []struct {
		status int
		err    error
	}{{status: 200}, {status: 403}, {status: 429}, {status: 502}, {err: errors.New("refused")}} {
		var response *http.Response
		if answer.status > 0 {
			response = &http.Response{StatusCode: answer.status}
		}
		m.HomeserverRequest(request, response, answer.err, time.Millisecond)
	}
	m.HomeserverRequest(request.WithContext(ended), nil, io.EOF, time.Second)
	sync := &http.Request{URL: &url.URL{Path: "/_matrix/client/v3/sync"}}
	m.HomeserverRequest(sync, &http.Response{StatusCode: 200}, nil, 30*time.Second)
	text := scrape(t, m)
	wantLines(t, text,
		`postern_homeserver_requests_total{result="ok"} 2`, `postern_homeserver_requests_total{result="refused"} 1`,
		`postern_homeserver_requests_total{result="limited"} 1`, `postern_homeserver_requests_total{result="failed"} 1`,
		`postern_homeserver_requests_total{result="unreachable"} 1`, `postern_homeserver_requests_total{result="cancelled"} 1`,
		`postern_homeserver_request_seconds_count 4`)
	if strings.Contains(text, "secret") {
		t.Error("a room is named")
	}
}

func TestStateIsLookedUpOnceForManyScrapes(t *testing.T) {
	looks := 0
	m := newMetrics(func(context.Context) (*metrics.State, error) {
		looks++
		return &metrics.State{
			Connections: map[metrics.Pair]int{{"wa", "connected"}: 7},
			Outbox:      map[string]metrics.Queue{"wa": {Messages: 3, Oldest: time.Now().Add(-time.Hour)}},
			Inbox:       map[string]int{"wa": 2},
		}, nil
	})
	scrape(t, m)
	text := scrape(t, m)
	wantLines(t, text, `postern_connections{gatekeeper="wa",state="connected"} 7`, `postern_outbox_messages{gatekeeper="wa"} 3`, `postern_inbox_events{gatekeeper="wa"} 2`)
	if !strings.Contains(text, `postern_outbox_oldest_seconds{gatekeeper="wa"} 3600.`) {
		t.Error("the age of the oldest is wrong")
	}
	if looks != 1 {
		t.Errorf("looked %d times", looks)
	}
}

func TestScrapeWorksWhileTheDatabaseDoesNot(t *testing.T) {
	m := newMetrics(func(context.Context) (*metrics.State, error) { return nil, errors.New("locked") })
	m.Wake("wa")
	text := scrape(t, m)
	wantLines(t, text, `postern_state_errors_total 1`, `postern_wakes_total{gatekeeper="wa"} 1`)
	if strings.Contains(text, "postern_outbox_messages{") {
		t.Error("a gauge is told that nobody knows")
	}
}

func TestNothingIsCountedWithoutMetrics(t *testing.T) {
	var m *metrics.Metrics
	m.ToMatrix("wa", "text", metrics.Delivered, 1)
	m.ToContact("wa", "text", metrics.Accepted, 1)
	m.Incident("wa", "postponed")
	m.Disconnected("wa", "")
	m.Wake("wa")
	m.PartnerRequest("push", 200)
	m.Query("exec", 1, false)
	m.HomeserverRequest(nil, nil, nil, 0)
	if m.FileToContact("wa", io.Discard) != io.Discard || m.FileToMatrix("wa", nil) != nil {
		t.Error("files are wrapped")
	}
}
