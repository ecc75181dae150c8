package bridge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"postern/bridge"
	"postern/database"
)

func TestReadyIsWhoReachesEverybody(t *testing.T) {
	ctx := context.Background()
	var homeserverStatus, chatStatus, asked atomic.Int32
	homeserverStatus.Store(200)
	chatStatus.Store(400) // no websocket, but there
	answering := func(status *atomic.Int32) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(int(status.Load()))
		}))
	}
	homeserver, chat := answering(&homeserverStatus), answering(&chatStatus)
	defer homeserver.Close()
	defer chat.Close()
	chatURL, err := url.Parse("ws" + strings.TrimPrefix(chat.URL, "http") + "/chat")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := database.Open(ctx, "sqlite", filepath.Join(t.TempDir(), "test.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	connected := false
	ready := bridge.NewReadiness(homeserver.URL, chatURL, raw, func(string) bool { return connected })
	want := func(text string) {
		t.Helper()
		if got := fmt.Sprint(ready.Check(ctx)); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	want("[]")
	before := asked.Load()
	ready.CheckSoon(ctx)
	if asked.Load() != before {
		t.Error("asked again at once")
	}
	homeserverStatus.Store(502)
	want("[{homeserver does not answer: unexpected status 502}]")
	homeserverStatus.Store(200)
	chatStatus.Store(503)
	want("[{gatekeeper wa does not answer: unexpected status 503}]")
	connected = true
	want("[]")
	connected = false
	chat.Close()
	homeserver.Close()
	want("[{homeserver does not answer: connection refused} {gatekeeper wa does not answer: connection refused}]")
	connected = true
	if err = raw.Close(); err != nil {
		t.Fatal(err)
	}
	want("[{database does not answer: the connection failed} {homeserver does not answer: connection refused}]")
	ready.Stop()
	want("[{bridge is stopping}]")
}
