package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// deviceFront stands before the homeserver and can refuse contacts an encryption device.
type deviceFront struct{ refuse atomic.Bool }

// start is for [stack.Options].Front.
func (f *deviceFront) start(t *testing.T) func(homeserver string) (string, error) {
	return func(homeserver string) (string, error) {
		target, err := url.Parse(homeserver)
		if err != nil {
			return "", err
		}
		proxy := &httputil.ReverseProxy{
			ErrorLog: log.New(io.Discard, "", 0), // requests that a stop interrupts
			Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			isContact := strings.HasPrefix(r.URL.Query().Get("user_id"), "@postern_")
			isDevice := strings.Contains(r.URL.Path, "/devices/") || strings.HasSuffix(r.URL.Path, "/login") || strings.HasSuffix(r.URL.Path, "/keys/query")
			if isContact && isDevice && f.refuse.Load() {
				http.Error(w, `{"errcode":"M_FORBIDDEN","error":"contacts have no devices yet"}`, http.StatusForbidden)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return server.URL, nil
	}
}
