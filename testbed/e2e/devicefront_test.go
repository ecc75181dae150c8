package e2e_test

import (
	"bytes"
	"encoding/json"
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

// newsless stands before the bridge and keeps from it that users' devices changed, as Synapse now and then forgets to tell it. It returns its address.
func newsless(t *testing.T, bridge string) string {
	t.Helper()
	target, err := url.Parse(bridge)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var transaction map[string]json.RawMessage
		if r.Method == http.MethodPut && json.NewDecoder(r.Body).Decode(&transaction) == nil {
			for name := range transaction {
				if strings.HasSuffix(name, "device_lists") {
					delete(transaction, name)
				}
			}
			body, _ := json.Marshal(transaction) // was JSON
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}
