package e2e_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/testbed/stack"
)

// TestMetricsCountAndNameNobody lets people use what is counted, and looks for them in what Prometheus gets.
func TestMetricsCountAndNameNobody(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	there, back, broken := unique("there"), unique("back"), unique("broken")
	sent := alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	received := tells(t, ctx, bob, alice, back)
	alice.receives(t, ctx, back)
	if err := s.Gatekeeper.CorruptNext(ctx, alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	tells(t, ctx, bob, alice, broken)
	alice.receives(t, ctx, broken)

	series := []string{
		`postern_messages_total{direction="to_contact",gatekeeper="whatsapp",kind="text",result="accepted"}`,
		`postern_messages_total{direction="to_matrix",gatekeeper="whatsapp",kind="text",result="delivered"}`,
		`postern_messages_total{direction="to_matrix",gatekeeper="whatsapp",kind="other",result="undecryptable"}`,
		`postern_message_seconds_count{direction="to_matrix",gatekeeper="whatsapp"}`,
		`postern_message_seconds_count{direction="to_contact",gatekeeper="whatsapp"}`,
		`postern_incidents_total{gatekeeper="whatsapp",incident="asked_again"}`,
		`postern_connections{gatekeeper="whatsapp",state="connected"}`,
		`postern_enlistments{gatekeeper="whatsapp",state="enlisted"}`,
		`postern_partner_requests_total{route="jwks",status="200"}`,
		`postern_homeserver_requests_total{result="ok"}`,
		`postern_database_query_seconds_count{method="exec"}`,
	}
	text := scrapeUntil(t, ctx, s, series)
	if outbox := valueOf(text, `postern_outbox_messages{gatekeeper="whatsapp"}`); outbox != 0 {
		t.Errorf("%v messages wait", outbox)
	}
	phone := strings.TrimPrefix(bob.Phone, "+")
	for what, id := range map[string]string{
		"the user": alice.ID().Localpart(), "the user's address": alice.Address.User, "the contact's number": phone,
		"the contact's name": "Bob", "the room": string(room), "the event": string(sent), "the message": string(received),
		"the homeserver": s.Homeserver.Domain(), "what was written": there,
	} {
		if id == "" || strings.Contains(labelsOf(text), id) {
			t.Errorf("%s is named: %q", what, id)
		}
	}
	if matrixID := regexp.MustCompile(`[@!$#][^"]*:[^"]+`).FindString(labelsOf(text)); matrixID != "" {
		t.Errorf("%q looks like an id", matrixID)
	}
}

// labelsOf leaves out numbers and help texts, in which an id may be by chance.
func labelsOf(text string) string {
	var labels strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			labels.WriteString(line[:strings.LastIndexByte(line, ' ')+1])
		}
	}
	return labels.String()
}

func valueOf(text, series string) float64 {
	_, rest, found := strings.Cut("\n"+text, "\n"+series+" ")
	if !found {
		return -1
	}
	number, _, _ := strings.Cut(rest, "\n")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return -1
	}
	return value
}

// scrapeUntil scrapes until all series are over 0: what is looked up may be some seconds old.
func scrapeUntil(t *testing.T, ctx context.Context, s *stack.Stack, series []string) string {
	t.Helper()
	for {
		text := get(t, ctx, s.Bridge.AdminURL()+"/metrics")
		missing := ""
		for _, one := range series {
			if valueOf(text, one) <= 0 {
				missing = one
			}
		}
		if missing == "" {
			return text
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("%s stays away from:\n%s", missing, text)
		}
	}
}

func get(t *testing.T, ctx context.Context, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", answer.StatusCode, err)
	}
	return string(body)
}

// TestHealthNamesWhoIsAway asks with the command that a container's health check runs.
func TestHealthNamesWhoIsAway(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	until := func(ok bool, words ...string) {
		t.Helper()
		for {
			said, err := s.Bridge.Run(ctx, "health")
			good := (err == nil) == ok
			for _, word := range words {
				good = good && strings.Contains(said, word)
			}
			if good {
				return
			} else if ctx.Err() != nil {
				t.Fatalf("said %q, %v; want %q", said, err, words)
			}
		}
	}
	until(true, "ready")
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Log("the homeserver did not stop by itself:", err)
	}
	until(false, "homeserver does not answer: connection refused", "not ready")
	if said, err := s.Bridge.Run(ctx, "health", "--live"); err != nil || !strings.Contains(said, "running") {
		t.Errorf("not live: %q, %v", said, err)
	}
	if err := s.Homeserver.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	until(true, "ready")
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	until(false, "the bridge does not answer, it is not running")
}

// waitReady waits until the start of the bridge is done, which it is a moment after the bridge takes messages.
func waitReady(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	for {
		said, err := s.Bridge.Run(ctx, "health")
		if err == nil {
			return
		} else if ctx.Err() != nil {
			t.Fatalf("the bridge does not get ready: %s", said)
		}
	}
}
