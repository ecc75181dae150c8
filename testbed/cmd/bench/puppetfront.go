package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// puppetFront is a proxy before the homeserver that refuses encryption devices to every second contact: the bridge encrypts their
// messages by the bot's device.
type puppetFront struct {
	server  http.Server
	serving sync.WaitGroup
}

const frontStopTimeout = 5 * time.Second

func (f *puppetFront) start(homeserver string) (string, error) {
	target, err := url.Parse(homeserver)
	if err != nil {
		return "", fmt.Errorf("failed to parse the homeserver's address: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("failed to listen before the homeserver: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  log.New(io.Discard, "", 0), // requests that a stop interrupts
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
	}
	f.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAboutDevice(r.URL.Path) && hasNoDevice(r.URL.Query().Get("user_id")) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"errcode":"M_FORBIDDEN","error":"this contact has no device, for comparison"}`)
			return
		}
		proxy.ServeHTTP(w, r)
	})
	f.serving.Go(func() { _ = f.server.Serve(listener) })
	return "http://" + listener.Addr().String(), nil
}

// isAboutDevice tells the requests that the bridge begins to make a device with.
func isAboutDevice(path string) bool {
	return strings.Contains(path, "/devices/") || strings.HasSuffix(path, "/login") || strings.HasSuffix(path, "/keys/query")
}

// hasNoDevice tells of a phone number, or of a contact's Matrix ID that holds one, whether it is odd.
func hasNoDevice(contact string) bool {
	number, _, _ := strings.Cut(contact, ":")
	return number != "" && strings.ContainsRune("13579", rune(number[len(number)-1]))
}

func (f *puppetFront) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), frontStopTimeout)
	defer cancel()
	err := f.server.Shutdown(ctx)
	f.serving.Wait()
	return err
}
