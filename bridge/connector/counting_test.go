package connector_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"postern/bridge/connector"
	"postern/bridge/metrics"
	"postern/interop"
)

type handlerFunc func(event interop.Event) error

func (f handlerFunc) HandleEvent(_ context.Context, event interop.Event) error { return f(event) }

func scraped(m *metrics.Metrics) string {
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

func TestEventsAreCountedWhenTheyAreHandled(t *testing.T) {
	counters := metrics.New(metrics.Options{Gatekeepers: []string{wa}, Kinds: interop.Kinds})
	var fault error
	handler := connector.Metered(handlerFunc(func(interop.Event) error { return fault }), counters, wa)
	now := time.Now()
	info := interop.MessageInfo{ID: "ID1", Chat: parseJID(t, "4915112345678@s.whatsapp.net"), PushName: "Bob", Received: now.Add(-time.Minute)}
	message := &interop.Message{MessageInfo: info, Message: &waE2E.Message{Conversation: proto.String("hello")}}
	waited := *message
	waited.Offline = true
	handle := func(event interop.Event) { _ = handler.HandleEvent(context.Background(), event) }
	fault = errors.New("the homeserver is away")
	handle(message)
	fault = nil
	handle(message)
	handle(&waited)
	handle(&interop.Undecryptable{MessageInfo: info})
	handle(&interop.SendResult{Kind: "image", Queued: now.Add(-time.Second)})
	handle(&interop.SendResult{Kind: "image", Queued: now, Err: interop.ErrNotReachable})
	handle(&interop.Disconnected{Err: errors.New("reset")})
	handle(&interop.Ended{Err: interop.ErrOutdated})
	text := scraped(counters)
	for _, line := range []string{
		`postern_messages_total{direction="to_matrix",gatekeeper="wa",kind="text",result="delivered"} 2`,
		`postern_messages_total{direction="to_matrix",gatekeeper="wa",kind="other",result="undecryptable"} 1`,
		`postern_messages_total{direction="to_contact",gatekeeper="wa",kind="image",result="accepted"} 1`,
		`postern_messages_total{direction="to_contact",gatekeeper="wa",kind="image",result="refused"} 1`,
		`postern_message_seconds_bucket{direction="to_matrix",gatekeeper="wa",le="30"} 0`,
		`postern_message_seconds_count{direction="to_matrix",gatekeeper="wa"} 1`,
		`postern_message_seconds_bucket{direction="to_contact",gatekeeper="wa",le="2.5"} 1`,
		`postern_disconnects_total{gatekeeper="wa",reason="other"} 1`,
		`postern_disconnects_total{gatekeeper="wa",reason="outdated"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no %s", line)
		}
	}
	for _, secret := range []string{"4915112345678", "ID1", "Bob", "hello"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is told", secret)
		}
	}
}

func TestStateCountsThoseWhoAreEnlisted(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.waitForLogin()
	state, err := i.network.State(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := state.Enlistments[metrics.Pair{Gatekeeper: wa, State: "enlisted"}]; got != 1 {
		t.Errorf("%d are enlisted", got)
	}
	connections := 0
	for _, count := range state.Connections {
		connections += count
	}
	if trying := state.Connections[metrics.Pair{Gatekeeper: wa, State: "connecting"}]; connections != 1 || trying != 1 {
		t.Errorf("connections %v", state.Connections)
	}
}
