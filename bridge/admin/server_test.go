package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/bridge/admin"
)

func TestHealthIsAskedOverTheListener(t *testing.T) {
	var problems []admin.Problem
	server := &admin.Server{
		Ready:   func(context.Context) []admin.Problem { return problems },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "numbers") }),
		Page:    http.NotFoundHandler(),
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	address := listener.Addr().String()
	health, err := admin.Ask(ctx, address, admin.ReadyPath)
	if err != nil || !health.Ready {
		t.Errorf("got %+v, %v", health, err)
	}
	problems = []admin.Problem{{Part: "homeserver", Problem: "does not answer"}}
	health, err = admin.Ask(ctx, address, admin.ReadyPath)
	if err != nil || health.Ready || len(health.Problems) != 1 || health.Problems[0] != problems[0] {
		t.Errorf("got %+v, %v", health, err)
	}
	if health, err = admin.Ask(ctx, address, admin.LivePath); err != nil || !health.Ready {
		t.Errorf("not live: %+v, %v", health, err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = admin.Ask(ctx, "0.0.0.0:"+port, admin.LivePath); err != nil {
		t.Errorf("the address to listen on is taken for the one to ask: %v", err)
	}
	cancel()
	if err = <-ended; err != nil {
		t.Error(err)
	}
	if _, err = admin.Ask(context.Background(), address, admin.LivePath); err == nil || !strings.Contains(err.Error(), "not running") {
		t.Errorf("got %v", err)
	}
}

func TestStatusIsForMachines(t *testing.T) {
	server := &admin.Server{
		Ready: func(context.Context) []admin.Problem {
			return []admin.Problem{{Part: "database", Problem: "does not answer"}}
		},
		Metrics: http.NotFoundHandler(),
		Page:    http.RedirectHandler("/login", http.StatusSeeOther),
	}
	for path, want := range map[string]int{"/live": 200, "/ready": 503, "/": 303, "/debug/pprof/": 303} {
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != want {
			t.Errorf("%s: status %d", path, answer.Code)
		}
		if path == "/ready" && strings.TrimSpace(answer.Body.String()) != `{"ready":false,"problems":[{"part":"database","problem":"does not answer"}]}` {
			t.Errorf("got %s", answer.Body)
		}
	}
	answer := httptest.NewRecorder()
	server.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/ready", nil))
	if answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", answer.Code)
	}
}

func TestSomethingElseThatAnswersIsNotTheBridge(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	defer other.Close()
	if _, err := admin.Ask(context.Background(), strings.TrimPrefix(other.URL, "http://"), admin.ReadyPath); err == nil || !strings.Contains(err.Error(), "is not the bridge") {
		t.Errorf("got %v", err)
	}
}
