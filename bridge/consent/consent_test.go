package consent_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"postern/bridge/consent"
)

var values = consent.Values{Gatekeeper: "Some Messenger", User: "@alice:example.org", Domain: "example.org"}

func TestEveryVersionThatWasAskedCanBeShown(t *testing.T) {
	for _, kind := range []consent.Kind{consent.Enlist, consent.EEA} {
		if consent.Current(kind) < 1 {
			t.Errorf("%s has no version", kind)
		}
		for version := 1; version <= consent.Current(kind); version++ {
			text := consent.Text(kind, version, values)
			if !strings.Contains(text, values.Gatekeeper) || strings.Contains(text, "{{") {
				t.Errorf("%s %d: %q", kind, version, text)
			}
		}
		for _, version := range []int{-1, 0, consent.Current(kind) + 1} {
			if text := consent.Text(kind, version, values); text != "" {
				t.Errorf("%s %d, which never was: %q", kind, version, text)
			}
		}
	}
}

// TestTextsThatWereAgreedToStay: a change of what users read needs a new version, and so a new line here.
func TestTextsThatWereAgreedToStay(t *testing.T) {
	for _, frozen := range []struct {
		kind    consent.Kind
		version int
		hash    string
	}{
		{consent.Enlist, 1, "bab8c237ef2d7eef"},
		{consent.EEA, 1, "c46e20ca38aacdfa"},
	} {
		sum := sha256.Sum256([]byte(consent.Text(frozen.kind, frozen.version, values)))
		if got := hex.EncodeToString(sum[:8]); got != frozen.hash {
			t.Errorf("version %d of %s was changed: %s", frozen.version, frozen.kind, got)
		}
	}
}
