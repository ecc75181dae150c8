package doctor

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// standIn answers the homeserver in the place of a bridge that does not run. It takes nothing: transactions are refused as by a bridge
// that stops, so the homeserver sends them again.
type standIn struct {
	token    string
	accepted atomic.Uint64 // calls with the right hs_token
	refused  atomic.Uint64 // and with a wrong one
	http     http.Server
	ended    chan struct{}
}

// newStandIn listens where the bridge would, until close.
func newStandIn(listen, token string) (*standIn, error) {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	s := &standIn{token: token, ended: make(chan struct{})}
	s.http = http.Server{Handler: s, ReadTimeout: askTimeout, WriteTimeout: askTimeout}
	go func() {
		defer close(s.ended)
		_ = s.http.Serve(listener) // ends by close
	}()
	return s, nil
}

func (s *standIn) close() {
	_ = s.http.Close()
	<-s.ended
}

// ServeHTTP implements http.Handler.
func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok || given != s.token:
		s.refused.Add(1)
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"errcode": "M_FORBIDDEN"}`)
	case r.Method == http.MethodPost && r.URL.Path == pingPath:
		s.accepted.Add(1)
		_, _ = io.WriteString(w, "{}")
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"errcode": "M_UNKNOWN"}`)
	default:
		s.accepted.Add(1)
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errcode": "M_NOT_FOUND"}`)
	}
}
