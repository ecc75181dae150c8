// Package admin is the listener for those who run the bridge and for their programs: health, metrics and the admin page. What health and
// metrics say names no user, and they change nothing, so they have no login; they are not meant for the internet all the same. The page
// looks after itself.
//
//	GET /live     200 as long as the program runs
//	GET /ready    200 if it does its work, else 503; with reasons, as JSON
//	GET /metrics  for Prometheus
//	/...          the admin page
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Paths of the listener.
const (
	LivePath    = "/live"
	ReadyPath   = "/ready"
	MetricsPath = "/metrics"
)

const (
	readTimeout    = 5 * time.Second
	writeTimeout   = 30 * time.Second // a scrape may wait for the database
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 8 << 10
	stopTimeout    = time.Second
)

// Problem is a reason why the bridge is not ready. It names no user.
type Problem struct {
	// Part is homeserver, database, bridge, or "gatekeeper" with the name that the config gives to it.
	Part    string `json:"part"`
	Problem string `json:"problem"`
}

// Health is the answer of /ready.
type Health struct {
	Ready    bool      `json:"ready"`
	Problems []Problem `json:"problems,omitempty"`
}

// Server is made of what it serves. All must be set.
type Server struct {
	Ready   func(ctx context.Context) []Problem
	Metrics http.Handler
	// Page answers all that is none of the paths above.
	Page http.Handler
}

// Handler answers requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+LivePath, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, Health{Ready: true}) })
	mux.HandleFunc("GET "+ReadyPath, func(w http.ResponseWriter, r *http.Request) {
		problems := s.Ready(r.Context())
		status := http.StatusOK
		if len(problems) > 0 {
			status = http.StatusServiceUnavailable
		}
		answer(w, status, Health{Ready: len(problems) == 0, Problems: problems})
	})
	mux.Handle("GET "+MetricsPath, s.Metrics)
	for _, path := range []string{LivePath, ReadyPath, MetricsPath} { // other methods are not for the page
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "This can only be read.", http.StatusMethodNotAllowed)
		})
	}
	mux.Handle("/", s.Page)
	return mux
}

func answer(w http.ResponseWriter, status int, health Health) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(health)
}

// Serve answers on listener until ctx ends. It closes the listener, and returns nil if ctx ended it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("the admin listener stopped: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-ended
	return err
}
