package connector_test

import (
	"testing"

	"maunium.net/go/mautrix/id"

	"postern/bridge/connector"
)

// The outbox holds references, also those of versions that knew messages only.
func TestReferencesAreReadAsTheyWereWritten(t *testing.T) {
	for text, want := range map[string]struct {
		kind  string
		event id.EventID
	}{
		"$abc":           {"", "$abc"},
		"edit $abc":      {"edit", "$abc"},
		"reaction $abc":  {"reaction", "$abc"},
		"redaction $abc": {"redaction", "$abc"},
	} {
		kind, event, again := connector.ParseReference(text)
		if kind != want.kind || event != want.event || again != text {
			t.Errorf("%q: kind %q, event %q, written again %q", text, kind, event, again)
		}
	}
}
