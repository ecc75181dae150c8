package homeserver_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// request is one that the bridge made.
type request struct {
	Method, Path, Query string
	Body                string
}

// fakeHomeserver answers what the bridge asks of a homeserver and fails the test on everything else. It is not a
// homeserver: the end-to-end tests have real ones.
type fakeHomeserver struct {
	t      testing.TB
	server *httptest.Server
	report func(format string, args ...any) // what is not expected

	lock     sync.Mutex
	requests []request
	arrived  chan struct{}
	keys     keyServer
	syncs    chan string   // answers to the bot's
	hungUp   chan struct{} // gets a value when the bot gives up on a sync
	// refuse answers requests whose path contains the key with this status and error code.
	refuse map[string]refusal
	events int
	sent   map[string]string // event id by path with transaction id
	state  map[string]string // by path
	// timeline is what the rooms show, newest last. hidden is how many more requests do not see the last event.
	timeline []string
	hidden   int
	// media answers requests for files, whose bodies the fake does not read. It is called without the lock.
	media       http.HandlerFunc
	mediaConfig string
	relations   string // the answer to who reacted or edited
}

type refusal struct {
	method string // "" is any
	status int
	code   string
}

const (
	domain  = "example.org"
	botUser = "@postern:example.org"
	device  = "BOTDEVICE"
)

func newFakeHomeserver(t testing.TB) *fakeHomeserver {
	fake := &fakeHomeserver{
		t: t, report: t.Errorf, arrived: make(chan struct{}), keys: newKeyServer(), syncs: make(chan string, 16), hungUp: make(chan struct{}, 16),
		mediaConfig: `{"m.upload.size":1125899906842624}`, refuse: make(map[string]refusal), sent: make(map[string]string), state: make(map[string]string),
	}
	fake.server = httptest.NewServer(fake)
	t.Cleanup(fake.server.Close)
	return fake
}

func (f *fakeHomeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	media := f.media
	f.lock.Unlock()
	if media != nil && (strings.HasSuffix(r.URL.Path, "/upload") || strings.Contains(r.URL.Path, "/download/")) {
		media(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		f.report("failed to read a request: %v", err)
	}
	path := strings.TrimPrefix(r.URL.Path, "/_matrix/client/v3")
	f.lock.Lock()
	f.requests = append(f.requests, request{r.Method, path, r.URL.RawQuery, string(body)})
	close(f.arrived)
	f.arrived = make(chan struct{})
	for part, answer := range f.refuse {
		if strings.Contains(path, part) && (answer.method == "" || answer.method == r.Method) {
			f.lock.Unlock()
			w.WriteHeader(answer.status)
			fmt.Fprintf(w, `{"errcode":%q,"error":"refused by the test"}`, answer.code)
			return
		}
	}
	answer, status := f.keyAnswer(r, path, body)
	if status == 0 {
		answer, status = f.answer(r.Method, path, body)
	}
	f.lock.Unlock()
	if path == "/sync" && answer == "" {
		select {
		case answer = <-f.syncs:
		case <-r.Context().Done():
			f.hungUp <- struct{}{}
			return
		}
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, answer)
}

// answer is called with the lock held.
func (f *fakeHomeserver) answer(method, path string, body []byte) (string, int) {
	is := func(wantMethod, prefix string) bool { return method == wantMethod && strings.HasPrefix(path, prefix) }
	switch {
	case path == "/_matrix/client/versions":
		return `{"versions":["v1.2","v1.11"]}`, 200
	case path == "/_matrix/federation/v1/version":
		if f.keys.synapse {
			return `{"server":{"name":"Synapse","version":"1.163.2"}}`, 200
		}
		return `{"server":{"name":"Dendrite","version":"0.15.2"}}`, 200
	case path == "/_matrix/client/v1/appservice/postern/ping":
		return `{"duration_ms":1}`, 200
	case path == "/account/whoami":
		return fmt.Sprintf(`{"user_id":%q}`, botUser), 200
	case path == "/register", is("POST", "/rooms/") && strings.Contains(path, "/receipt/"):
		return `{}`, 200
	case is("GET", "/login"):
		return `{"flows":[{"type":"m.login.application_service"}]}`, 200
	case strings.HasSuffix(path, "/filter"):
		return `{"filter_id":"1"}`, 200
	case path == "/sync":
		return "", 200
	case strings.HasPrefix(path, "/profile/"):
		return `{"displayname":"Postern"}`, 200
	case path == "/_matrix/media/v3/config", path == "/_matrix/client/v1/media/config":
		return f.mediaConfig, 200
	case is("PUT", "/rooms/") && strings.Contains(path, "/send/"):
		if f.sent[path] == "" {
			f.events++
			f.sent[path] = fmt.Sprintf("$event%d", f.events)
			f.timeline = append(f.timeline, fmt.Sprintf(`{"event_id":"$event%d","type":"m.dummy","sender":%q,"content":{}}`, f.events, botUser))
		}
		return fmt.Sprintf(`{"event_id":%q}`, f.sent[path]), 200
	case is("PUT", "/rooms/") && strings.Contains(path, "/state/"):
		f.events++
		f.state[path] = string(body)
		return fmt.Sprintf(`{"event_id":"$state%d"}`, f.events), 200
	case is("GET", "/rooms/") && strings.Contains(path, "/state/"):
		if content, ok := f.state[path]; ok {
			return content, 200
		}
		return `{"errcode":"M_NOT_FOUND","error":"no such state"}`, 404
	case is("GET", "/rooms/") && strings.Contains(path, "/event/"):
		if content, ok := f.state[path]; ok {
			return content, 200
		}
		return `{"errcode":"M_NOT_FOUND","error":"no such event"}`, 404
	case is("GET", "/_matrix/client/v1/rooms/") && strings.Contains(path, "/relations/"):
		return cmp.Or(f.relations, `{"chunk":[]}`), 200
	case is("GET", "/rooms/") && strings.HasSuffix(path, "/messages"):
		return f.messages(), 200
	case is("POST", "/rooms/") && (strings.HasSuffix(path, "/join") || strings.HasSuffix(path, "/leave")):
		return fmt.Sprintf(`{"room_id":%q}`, strings.Split(path, "/")[2]), 200
	case is("GET", "/rooms/") && strings.HasSuffix(path, "/members"):
		if content, ok := f.state[path]; ok {
			return content, 200
		}
		return `{"chunk":[]}`, 200
	case is("GET", "/directory/room/"):
		if content, ok := f.state[path]; ok {
			return content, 200
		}
		return `{"errcode":"M_NOT_FOUND","error":"no such alias"}`, 404
	default:
		f.report("the bridge asked for %s %s", method, path)
		return `{"errcode":"M_UNRECOGNIZED","error":"not expected by the test"}`, 404
	}
}

// messages lists the timeline backwards. It is called with the lock held.
func (f *fakeHomeserver) messages() string {
	shown := f.timeline
	if f.hidden > 0 {
		f.hidden--
		shown = shown[:len(shown)-1]
	}
	shown = slices.Clone(shown)
	slices.Reverse(shown)
	return `{"start":"s","chunk":[` + strings.Join(shown, ",") + `]}`
}

// made returns the requests so far whose method and path contain the words.
func (f *fakeHomeserver) made(method, words string) []request {
	f.lock.Lock()
	defer f.lock.Unlock()
	var found []request
	for _, request := range f.requests {
		if request.Method == method && strings.Contains(request.Path, words) {
			found = append(found, request)
		}
	}
	return found
}

// wait returns the requests when there are as many as wanted.
func (f *fakeHomeserver) wait(method, words string, count int) []request {
	f.t.Helper()
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for {
		f.lock.Lock()
		arrived := f.arrived
		f.lock.Unlock()
		if found := f.made(method, words); len(found) >= count {
			return found
		}
		select {
		case <-arrived:
		case <-timeout.C:
			f.t.Fatalf("no %d requests %s %s came", count, method, words)
		}
	}
}

// setRefusal makes requests fail whose path contains the words; status 0 makes them work again.
func (f *fakeHomeserver) setRefusal(path string, status int, code string) {
	f.setRefusalOf("", path, status, code)
}

func (f *fakeHomeserver) setRefusalOf(method, path string, status int, code string) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if status == 0 {
		delete(f.refuse, path)
	} else {
		f.refuse[path] = refusal{method, status, code}
	}
}

func (f *fakeHomeserver) setState(path, content string) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.state[path] = content
}

// push sends a transaction to the bridge and returns the status of the answer.
func push(ctx context.Context, t testing.TB, address, token, transaction string, body string) int {
	t.Helper()
	url := fmt.Sprintf("http://%s/_matrix/app/v1/transactions/%s", address, transaction)
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
