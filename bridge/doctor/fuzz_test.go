package doctor_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

// oneAnswer is a server that says the same to everything.
type oneAnswer struct {
	status int
	date   string
	body   string
}

// RoundTrip implements http.RoundTripper.
func (a oneAnswer) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: a.status, Header: http.Header{"Date": {a.date}}, Body: io.NopCloser(strings.NewReader(a.body)), Request: request,
	}, nil
}

// FuzzAnswers lets servers say anything. What is said of them can be shown on a terminal.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`{"versions": ["v1.11"], "server": {"name": "Synapse", "version": "1.2\u001b[31m"}}`, `{"user_id": "@a:\u0007", "m.upload.size": -1}`,
		`{"errcode": "M_BAD_STATUS", "status": 401}`, `{"errcode": "M_FORBIDDEN", "error": "has not registered this user"}`, pushKeys,
		"# TYPE postern_connections gauge\npostern_connections{gatekeeper=\"wa\",state=\"connecting\"} 3\n", proxyPage, "", "{}", "null", "[]",
	} {
		for _, status := range []int{200, 206, 302, 401, 403, 404, 502} {
			f.Add(status, "Thu, 26 Nov 2026 00:00:00 GMT", body)
		}
	}
	cfg := config.Default()
	cfg.Homeserver = config.Homeserver{Address: "http://homeserver", Domain: "example.org"}
	cfg.Public.URL, cfg.Public.MediaDir = "http://127.0.0.1", f.TempDir()
	cfg.DoublePuppet.ASToken = "token"
	cfg.Gatekeepers = []config.Gatekeeper{{ID: "wa", Name: "WhatsApp", EnlistURL: "https://gatekeeper/e", ChatURL: "wss://gatekeeper/c", MediaURL: "https://gatekeeper", PushIssuer: "W", PushKeysURL: "https://gatekeeper/k"}}
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, status int, date, body string) {
		options := doctor.Options{Config: cfg, Now: func() time.Time { return now }}
		for _, finding := range doctor.Hear(context.Background(), options, oneAnswer{status, date, body}) {
			if !utf8.ValidString(finding.Text) || utf8.RuneCountInString(finding.Text) > 601 || strings.ContainsFunc(finding.Text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
				t.Errorf("cannot be shown: %q", finding.Text)
			}
			if finding.Status != doctor.OK && finding.Status != doctor.Note && finding.Remedy == "" {
				t.Errorf("no remedy: %+v", finding)
			}
		}
	})
}

func TestServersThatHangEndWithTheContext(t *testing.T) {
	i := install(t)
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	i.homeserver.bugs[versionsPath] = hang
	i.gatekeeperAnswers["/chat"] = hang
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	findings := doctor.Examine(ctx, i.machine.On(i.options))
	for _, check := range []string{"homeserver.reachable", "gatekeeper.chat"} {
		if found := of(t, findings, check); found.Status != doctor.Fault || !strings.Contains(found.Text, "no answer in") {
			t.Errorf("%+v", found)
		}
	}
}
