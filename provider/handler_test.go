package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/provider"
)

func request(p *provider.Provider, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://partner.example.org/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}

func get(t testing.TB, p *provider.Provider, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := request(p, http.MethodGet, path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: status %d", path, w.Code)
	}
	return w
}

func TestKeySetHasThePublishedForm(t *testing.T) {
	w := get(t, newProvider(t, sharedKeys()), provider.JWKSPath)
	var set struct{ Keys []map[string]string }
	check(t, json.Unmarshal(w.Body.Bytes(), &set))
	if len(set.Keys) != 1 {
		t.Fatalf("%d keys", len(set.Keys))
	}
	key := set.Keys[0]
	for name, want := range map[string]string{"kid": sharedKeys().keys[0].ID, "kty": "RSA", "alg": "RS256", "use": "sig", "e": "AQAB"} {
		if key[name] != want {
			t.Errorf("%s is %q, want %q", name, key[name], want)
		}
	}
	if len(decode(t, key["n"])) != 256 || len(key) != 6 {
		t.Errorf("got the members %v", key) // d, p or q among them would be the end
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "public, max-age=900", "X-Content-Type-Options": "nosniff",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestKeySetIsNotSentToWhoHasIt(t *testing.T) {
	p := newProvider(t, sharedKeys())
	etag := get(t, p, provider.JWKSPath).Header().Get("ETag")
	w := request(p, http.MethodGet, provider.JWKSPath, "If-None-Match", etag)
	if w.Code != http.StatusNotModified || w.Body.Len() != 0 || w.Header().Get("Cache-Control") == "" {
		t.Errorf("status %d with %d bytes", w.Code, w.Body.Len())
	}
	if w = request(p, http.MethodGet, provider.JWKSPath, "If-None-Match", `"another"`); w.Code != http.StatusOK {
		t.Errorf("another version: status %d", w.Code)
	}
}

func TestStrangersAllGetTheSameAnswer(t *testing.T) {
	p := newProvider(t, sharedKeys())
	want := request(p, http.MethodGet, "/")
	for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "CONNECT", "BREW"} {
		for _, path := range []string{
			"/", "", "*", "/@alice:example.org", "/.well-known", "/.well-known/oauth/openid/jwks/", "//.well-known/oauth/openid/jwks",
			"/x/../.well-known/oauth/openid/jwks", "/.WELL-KNOWN/oauth/openid/jwks", "/push", "/metrics?x=1", "/\x00\xff",
		} {
			w := request(p, method, path)
			if w.Code != http.StatusNotFound || !bytes.Equal(w.Body.Bytes(), want.Body.Bytes()) ||
				len(w.Header()) != len(want.Header()) || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s %q: status %d, %q, %v", method, path, w.Code, w.Body, w.Header())
			}
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	p := newProvider(t, sharedKeys())
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"} {
		w := request(p, method, provider.JWKSPath)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: status %d, allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := request(p, http.MethodHead, provider.JWKSPath+"?a=b"); w.Code != http.StatusOK {
		t.Errorf("HEAD: status %d", w.Code)
	}
}

func TestAccessLogNamesNobody(t *testing.T) {
	var logged bytes.Buffer
	o := options(t, sharedKeys())
	o.Log = zerolog.New(&logged)
	p, err := provider.New(context.Background(), o)
	check(t, err)
	request(p, "SECRETMETHOD", "/@alice:example.org?token=secret", "User-Agent", "spy", "X-Forwarded-For", "192.0.2.77")
	request(p, http.MethodGet, provider.JWKSPath+"?q=secret", "User-Agent", "spy")
	text := logged.String()
	for _, leak := range []string{"alice", "secret", "SECRET", "spy", "192.0.2", "well-known"} {
		if strings.Contains(text, leak) {
			t.Errorf("the log holds %q: %s", leak, text)
		}
	}
	for _, want := range []string{`"route":"unknown","status":404`, `"route":"jwks","status":200`} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %s: %s", want, text)
		}
	}
}

// serving runs a server and returns its address and how to stop it, which returns what Serve did.
func serving(t *testing.T, p *provider.Provider) (address string, stop func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, listener) }()
	t.Cleanup(cancel)
	return listener.Addr().String(), func() error { cancel(); return <-ended }
}

func TestServeAnswersUntilItIsStopped(t *testing.T) {
	address, stop := serving(t, newProvider(t, sharedKeys()))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + address + provider.JWKSPath)
	check(t, err)
	body, err := io.ReadAll(response.Body)
	check(t, err)
	check(t, response.Body.Close())
	if response.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(`"kty":"RSA"`)) {
		t.Errorf("status %d, %s", response.StatusCode, body)
	}
	check(t, stop())
	if _, err = net.Dial("tcp", address); err == nil {
		t.Error("the listener is still open")
	}
}

func TestServeTellsOfALostListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, listener.Close())
	if err = newProvider(t, sharedKeys()).Serve(context.Background(), listener); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestOversizedHeadersAreRefused(t *testing.T) {
	address, stop := serving(t, newProvider(t, sharedKeys()))
	connection, err := net.Dial("tcp", address)
	check(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET "+provider.JWKSPath+" HTTP/1.1\r\nHost: x\r\nX-Large: "+strings.Repeat("a", 20<<10)+"\r\n\r\n")
	check(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	check(t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
	check(t, stop())
}

// FuzzRequest sends any request line and header there is through a real HTTP parser.
func FuzzRequest(f *testing.F) {
	f.Add("GET " + provider.JWKSPath + " HTTP/1.1\r\nHost: x\r\n\r\n")
	f.Add("POST " + provider.JWKSPath + " HTTP/1.0\r\nContent-Length: 9999999999\r\n\r\nx")
	f.Add("GET http://evil/%2e%2e/ HTTP/1.1\r\nHost: x\r\nIf-None-Match: *\r\n\r\n")
	f.Add("CONNECT x:1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz")
	o := options(f, sharedKeys())
	o.Log = zerolog.Nop()
	p, err := provider.New(context.Background(), o)
	check(f, err)
	keySet := get(f, p, provider.JWKSPath).Body.Bytes()
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		isKeySet := bytes.Equal(w.Body.Bytes(), keySet)
		if known := r.URL.Path == provider.JWKSPath; isKeySet != (known && w.Code == http.StatusOK) || (!known && w.Code != http.StatusNotFound) {
			t.Errorf("%s %s: status %d, %d bytes", r.Method, r.URL.Path, w.Code, w.Body.Len())
		}
	})
}

func TestRequestsAreObservedWithoutWhoAsked(t *testing.T) {
	var seen []string
	o := options(t, sharedKeys())
	o.Observe = func(route string, status int) { seen = append(seen, fmt.Sprint(route, " ", status)) }
	p, err := provider.New(context.Background(), o)
	check(t, err)
	request(p, http.MethodGet, provider.JWKSPath)
	request(p, http.MethodDelete, provider.JWKSPath)
	request(p, http.MethodGet, "/media/somebodys-file")
	request(p, http.MethodGet, "/@alice:example.org")
	if want := []string{"jwks 200", "jwks 405", "media 404", "unknown 404"}; !slices.Equal(seen, want) {
		t.Errorf("saw %q, want %q", seen, want)
	}
}
