// Package enlisttest is the part of a gatekeeper that answers enlistments, for tests. It has no chat server: connections to that fail.
package enlisttest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"postern/bridge/config"
)

// Server answers enlistments. Safe for concurrent use.
type Server struct {
	*httptest.Server
	// Arrived gets an element for each enlistment, Called for tries to connect to the chat server, one at most until it is taken.
	Arrived, Called chan struct{}

	lock   sync.Mutex
	answer string
	status int
	asked  []url.Values
}

// New starts a server that takes whoever comes, as 77-1001@interop, and ends with the test.
func New(t *testing.T) *Server {
	s := &Server{answer: `{"status":"ok","login":"77-1001@interop"}`, status: 200, Arrived: make(chan struct{}, 100), Called: make(chan struct{}, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/enlist" {
			select {
			case s.Called <- struct{}{}:
			default: // nobody counts them
			}
			http.NotFound(w, r)
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Errorf("failed to read a form: %v", err)
		}
		s.lock.Lock()
		defer s.lock.Unlock()
		s.asked = append(s.asked, r.PostForm)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.answer)
		s.Arrived <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return s
}

// Say sets the answer to all enlistments that come from now on.
func (s *Server) Say(status int, answer string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.status, s.answer = status, answer
}

// Keys returns the identity key of each enlistment that came.
func (s *Server) Keys() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	keys := make([]string, 0, len(s.asked))
	for _, form := range s.asked {
		keys = append(keys, form.Get("e_ident"))
	}
	return keys
}

// Gatekeeper is the server as a config describes it, for partner 77.
func (s *Server) Gatekeeper(id string) config.Gatekeeper {
	return config.Gatekeeper{
		ID: id, Name: "Some Messenger", Product: "whatsapp", Integrator: 77,
		EnlistURL: s.URL + "/enlist", ChatURL: "ws" + strings.TrimPrefix(s.URL, "http") + "/chat",
		MediaURL: s.URL, RootKey: strings.Repeat("ab", 32), Audience: "some audience", ProtocolVersion: "1.2.3",
	}
}
