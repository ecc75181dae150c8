package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAdminsSuspendAndTheAuditLogSaysSo(t *testing.T) {
	path, _ := installed(t)
	run := func(args ...string) string {
		t.Helper()
		said, err := postern(t, append(args, "--config", path)...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return said
	}
	if said := run("suspend", "@alice:example.org", "it", "was", "spam"); !strings.Contains(said, "@alice:example.org is suspended") {
		t.Error(said)
	}
	run("unsuspend", "@alice:example.org")
	if said := run("users"); said != "" {
		t.Errorf("nobody is enlisted, but: %s", said)
	}
	if said := run("users", "--json"); strings.TrimSpace(said) != "[]" {
		t.Errorf("nobody in JSON is %q", said)
	}
	if said := run("users", "--csv", "whatsapp"); !strings.HasPrefix(said, "user,gatekeeper,state") || strings.Count(said, "\n") != 1 {
		t.Errorf("nobody in CSV is %q", said)
	}
	for _, want := range []string{`suspend by command line user "@alice:example.org"`, "unsuspend by command line", `list-users by command line subject "whatsapp"`} {
		if said := run("audit", "--since", "1h"); !strings.Contains(said, want) {
			t.Errorf("the audit log lacks %q: %s", want, said)
		}
	}
	lines := strings.Split(strings.TrimSpace(run("audit", "--json")), "\n")
	var entry struct {
		Seq        int
		At         time.Time
		Kind, User string
	}
	if err := json.Unmarshal([]byte(lines[0]), &entry); err != nil || entry.Seq != 1 || entry.Kind != "suspend" ||
		entry.User != "@alice:example.org" || time.Since(entry.At) > time.Minute {
		t.Errorf("the first of %d is %+v, %v", len(lines), entry, err)
	}
	if said := run("audit", "--verify"); !strings.Contains(said, "All 5 entries") {
		t.Error(said)
	}
	for _, args := range [][]string{
		{"suspend", "@alice:example.org"}, {"suspend", "@alice:other.org", "spam"}, {"unsuspend", "@alice:example.org"}, {"unsuspend", "alice"},
		{"audit", "--since", "yesterday"}, {"audit", "more"}, {"users", "a", "b"}, {"users", "--json", "--csv"},
	} {
		if said, err := postern(t, append(args, "--config", path)...); err == nil {
			t.Errorf("%q is no error: %s", args, said)
		}
	}
}

func TestALinkToTheAdminPageIsPrinted(t *testing.T) {
	path, _ := installed(t)
	said, err := postern(t, "admin", "page", "--config", path)
	link, parseErr := url.Parse(strings.TrimSpace(said))
	if err != nil || parseErr != nil || link.Host != "127.0.0.1:29350" || link.Path != "/login" || len(link.Query().Get("link")) != 43 {
		t.Errorf("got %q, %v", said, err)
	}
	t.Setenv("POSTERN_ADMIN_URL", "https://admin.example.org/")
	if said, err = postern(t, "admin", "page", "--config", path); err != nil || !strings.HasPrefix(said, "https://admin.example.org/login?link=") {
		t.Errorf("got %q, %v", said, err)
	}
}

func TestSince(t *testing.T) {
	now := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"": "0001-01-01T00:00:00Z", "2026-01-31": "2026-01-31T00:00:00Z", "2026-01-31T10:00:00+01:00": "2026-01-31T09:00:00Z",
		"12h": "2026-03-10T00:00:00Z", "7d": "2026-03-03T12:00:00Z", "d": "", "-1d": "", "1w": "", "70000d": "", "31.1.2026": "",
	} {
		at, err := parseSince(text, now)
		if got := at.UTC().Format(time.RFC3339); (want == "") != (err != nil) || (err == nil && got != want) {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}
