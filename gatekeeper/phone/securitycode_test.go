package phone_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"go.mau.fi/libsignal/fingerprint"

	"postern/gatekeeper/phone"
)

func key(t *testing.T, text string) []byte {
	t.Helper()
	decoded, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// TestSecurityCodesAreSignals compares with the published vector of Signal's own tests, version 0.
func TestSecurityCodesAreSignals(t *testing.T) {
	first := phone.Fingerprint("+14152222222", key(t, "06863bc66d02b40d27b8d49ca7c09e9239236f9d7d25d6fcca5ce13c7064d868"))
	second := phone.Fingerprint("+14153333333", key(t, "f781b6fb32fed9ba1cf2de978d4d5da28dc34046ae814402b5c0dbd96fda907b"))
	for _, code := range []string{fingerprint.NewDisplay(first, second).DisplayText(), fingerprint.NewDisplay(second, first).DisplayText()} {
		if code != "300354477692869396892869876765458257569162576843440918079131" {
			t.Errorf("got %s", code)
		}
	}
}

// TestSecurityCodesCoverAllDevices compares with what the bridge computes for the same people, in docs/protocol.md's words.
func TestSecurityCodesCoverAllDevices(t *testing.T) {
	alices := make([]byte, 32)
	for i := range alices {
		alices[i] = byte(i)
	}
	alice := phone.Fingerprint("@alice:example.org", alices)
	phoneKey, tablet := bytes.Repeat([]byte{0xf0}, 32), bytes.Repeat([]byte{0x10}, 32)
	for want, keys := range map[string][][]byte{
		"393951679133780692876386763771695429075777029163743148382386": {phoneKey, phoneKey},
		"507227384371379825611301188292695429075777029163743148382386": {phoneKey, tablet},
	} {
		if got := fingerprint.NewDisplay(phone.Fingerprint("+4915112345678", keys...), alice).DisplayText(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
