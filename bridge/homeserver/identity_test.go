package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"postern/bridge/homeserver"
)

// answers serves fixed texts by path; a path that it does not have is a 404.
func answers(texts map[string]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := texts[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	})
}

const (
	versionsPath = "/_matrix/client/versions"
	softwarePath = "/_matrix/federation/v1/version"
	namePath     = "/_matrix/key/v2/server"
)

func TestAHomeserverIsIdentified(t *testing.T) {
	for name, test := range map[string]struct {
		texts   map[string]string
		want    homeserver.Identity
		warning string
	}{
		"Dendrite": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, softwarePath: `{"server":{"name":"Dendrite","version":"0.15.2+abc"}}`, namePath: `{"server_name":"example.org"}`},
			homeserver.Identity{Software: "Dendrite", Version: "0.15.2+abc", Name: "example.org"}, "",
		},
		"Dendrite outside of the federation": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, "/_dendrite/monitor/up": ""},
			homeserver.Identity{Software: "Dendrite"}, "",
		},
		"old Dendrite": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, softwarePath: `{"server":{"name":"Dendrite","version":"0.13.8"}}`},
			homeserver.Identity{Software: "Dendrite", Version: "0.13.8"}, "0.13.8 is too old",
		},
		"old Synapse": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, softwarePath: `{"server":{"name":"Synapse","version":"1.99.0"}}`},
			homeserver.Identity{Software: "Synapse", Version: "1.99.0"}, "1.99.0 is too old",
		},
		"another": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, softwarePath: `{"server":{"name":"Palpo","version":"2"}}`},
			homeserver.Identity{Software: "Palpo", Version: "2"}, "was not tried with Palpo",
		},
		"one that does not tell": {map[string]string{versionsPath: `{"versions":["v1.2"]}`}, homeserver.Identity{}, "does not tell what it is"},
		"one that lies to the terminal": {
			map[string]string{versionsPath: `{"versions":["v1.2"]}`, softwarePath: `{"server":{"name":"Syn\u001b[2Japse\n","version":"` + strings.Repeat("1", 1000) + `"}}`},
			homeserver.Identity{Software: "Syn[2Japse", Version: strings.Repeat("1", 64)}, "was not tried with",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(answers(test.texts))
			defer server.Close()
			got, err := homeserver.Identify(t.Context(), server.Client(), server.URL+"/")
			if err != nil || got != test.want {
				t.Errorf("%+v, %v", got, err)
			}
			if warning := got.Warning(); (warning == "") != (test.warning == "") || !strings.Contains(warning, test.warning) {
				t.Errorf("the warning is %q", warning)
			}
		})
	}
}

func TestWhatIsNoHomeserverIsSaidSo(t *testing.T) {
	for name, texts := range map[string]map[string]string{
		"another server": {}, "a page": {versionsPath: "<html>"}, "no versions": {versionsPath: "{}"},
		"too large": {versionsPath: `{"versions":["` + strings.Repeat("1", 1<<20) + `"]}`},
	} {
		server := httptest.NewServer(answers(texts))
		if got, err := homeserver.Identify(t.Context(), server.Client(), server.URL); !errors.Is(err, homeserver.ErrNotMatrix) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		server.Close()
		if _, err := homeserver.Identify(t.Context(), server.Client(), server.URL); err == nil || errors.Is(err, homeserver.ErrNotMatrix) {
			t.Errorf("a server that is down: %v", err)
		}
	}
}

func TestADomainSaysWhereItsHomeserverIs(t *testing.T) {
	for body, want := range map[string]string{
		`{"m.homeserver":{"base_url":"https://matrix.example.org/"}}`:                 "https://matrix.example.org",
		`{"m.homeserver":{"base_url":"https://example.org:8448/matrix"}}`:             "https://example.org:8448/matrix",
		`{"m.homeserver":{"base_url":"ftp://example.org"}}`:                           "",
		`{"m.homeserver":{"base_url":"matrix.example.org"}}`:                          "",
		`{"m.homeserver":{"base_url":"https://\u001b[2J.org"}}`:                       "",
		`{"m.homeserver":{"base_url":"https://a/` + strings.Repeat("b", 5000) + `"}}`: "",
		`{"m.homeserver":1}`: "", `{}`: "", `no`: "",
	} {
		server := httptest.NewTLSServer(answers(map[string]string{"/.well-known/matrix/client": body}))
		client := server.Client()
		transport := client.Transport.(*http.Transport)
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		got, err := homeserver.WellKnown(t.Context(), client, "example.com") // a name in the test server's certificate
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.60s is %q, %v", body, got, err)
		}
		server.Close()
	}
}

// FuzzIdentity: whatever a server says, what is shown of it is short and cannot change how a terminal shows it.
func FuzzIdentity(f *testing.F) {
	f.Add(`{"server":{"name":"Synapse","version":"1.163.2"}}`, `{"server_name":"example.org"}`, `{"m.homeserver":{"base_url":"https://example.org"}}`)
	f.Add(`{"server":{"name":"\u001b[31m","version":"\u202e"}}`, `{"server_name":"a\nb"}`, `{"m.homeserver":{"base_url":"https://a\u001bb"}}`)
	f.Add(`{"server":{"name":`, `[]`, `{"m.homeserver":{"base_url":"https://[::1]:80/%0a"}}`)
	f.Fuzz(func(t *testing.T, software, name, wellKnown string) {
		client := &http.Client{Transport: canned{
			versionsPath: `{"versions":["v1.2"]}`, softwarePath: software, namePath: name, "/.well-known/matrix/client": wellKnown,
		}}
		identity, err := homeserver.Identify(t.Context(), client, "http://homeserver.test")
		if err != nil {
			t.Fatal(err)
		}
		address, _ := homeserver.WellKnown(t.Context(), client, "example.org")
		for _, text := range []string{identity.Software, identity.Version, identity.Name, identity.Warning(), address} {
			if len([]rune(text)) > 1024 || strings.ContainsFunc(text, func(char rune) bool { return !unicode.IsPrint(char) }) {
				t.Errorf("shown: %q", text)
			}
		}
	})
}

// canned answers by path without a network.
type canned map[string]string

func (c canned) RoundTrip(request *http.Request) (*http.Response, error) {
	text, ok := c[request.URL.Path]
	response := &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(text)), Header: http.Header{}, Request: request}
	if !ok {
		response.StatusCode, response.Status = http.StatusNotFound, fmt.Sprint(http.StatusNotFound)
	}
	return response, nil
}

func TestOnlyTheFoundHomeserversConfigIsExplained(t *testing.T) {
	paths := []string{"/a/registration.yaml", "/a/doublepuppet.yaml"}
	for software, want := range map[string][2]bool{homeserver.Synapse: {true, false}, homeserver.Dendrite: {false, true}, "": {true, true}, "Other": {true, true}} {
		text := homeserver.Identity{Software: software}.Additions(paths)
		if got := [2]bool{strings.Contains(text, "app_service_config_files"), strings.Contains(text, "app_service_api")}; got != want {
			t.Errorf("%q: Synapse and Dendrite are %v in %s", software, got, text)
		}
		if strings.Contains(text, "msc3202_transaction_extensions: true") != want[0] {
			t.Errorf("%q: the flags of Synapse: %s", software, text)
		}
		for _, path := range paths {
			if !strings.Contains(text, "- "+path+"\n") {
				t.Errorf("%q: %s is not named", software, path)
			}
		}
	}
}
