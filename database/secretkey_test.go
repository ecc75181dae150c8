package database_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/database"
)

func TestSecretKeyIsReadInEveryForm(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xef, 0xff, 0x01}, 8) // needs both special characters of base64
	want := must(database.ParseSecretKey(hex.EncodeToString(raw))).Derive("test")
	for name, text := range map[string]string{
		"upper case hex":       strings.ToUpper(hex.EncodeToString(raw)),
		"hex with a newline":   hex.EncodeToString(raw) + "\n",
		"base64":               base64.StdEncoding.EncodeToString(raw),
		"base64, no padding":   base64.RawStdEncoding.EncodeToString(raw),
		"base64 for URLs":      base64.URLEncoding.EncodeToString(raw),
		"base64 for URLs, raw": "  " + base64.RawURLEncoding.EncodeToString(raw) + "  ",
	} {
		key, err := database.ParseSecretKey(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if key.Derive("test") != want {
			t.Errorf("%s: another key came out", name)
		}
	}
}

func TestSecretKeyRefusesWhatIsNone(t *testing.T) {
	for name, text := range map[string]string{
		"empty":         "",
		"a password":    "correct horse battery staple",
		"31 bytes":      strings.Repeat("ab", 31),
		"33 bytes":      strings.Repeat("ab", 33),
		"not hex":       strings.Repeat("zz", 32),
		"all zero":      strings.Repeat("00", 32),
		"loose base64":  strings.Repeat("/", 43), // has bits after the 32nd byte
		"inner newline": strings.Repeat("ab", 16) + "\n" + strings.Repeat("ab", 16),
	} {
		_, err := database.ParseSecretKey(text)
		if !errors.Is(err, database.ErrSecretKeyFormat) {
			t.Errorf("%s: got %v", name, err)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error quotes what it was given", name)
		}
	}
}

func TestDerivedSecretsDependOnKeyAndPurpose(t *testing.T) {
	seen := map[[32]byte]string{}
	for _, key := range []database.SecretKey{testKey, database.NewSecretKey()} {
		for _, purpose := range []string{"matrix-pickle-key", "matrix-pickle-kez", ""} {
			derived := key.Derive(purpose)
			if other, twice := seen[derived]; twice {
				t.Errorf("purpose %q and %q share a secret", purpose, other)
			}
			seen[derived] = purpose
			if derived != key.Derive(purpose) {
				t.Errorf("purpose %q changes", purpose)
			}
		}
	}
}

// Computed by hand with HMAC, as RFC 5869 has it. The pickle key of an installed bridge must never change.
func TestDerivationIsFrozen(t *testing.T) {
	const want = "1aefdb88e6b131fd"
	derived := testKey.Derive("matrix-pickle-key")
	if got := hex.EncodeToString(derived[:8]); got != want {
		t.Errorf("derived %s, want %s", got, want)
	}
}

func TestSecretKeyIsNeverPrinted(t *testing.T) {
	var logged bytes.Buffer
	log := zerolog.New(&logged)
	log.Info().Interface("key", testKey).Any("in", struct{ Key database.SecretKey }{testKey}).Msgf("%v", testKey)
	text := logged.String() + fmt.Sprintf("%v %+v %#v %s %x %q %d %v %+v", testKey, testKey, testKey, testKey, testKey, testKey, testKey,
		[]any{&testKey}, struct{ Key database.SecretKey }{testKey})
	for _, leak := range []string{"000102", "0 1 2 3", "0x0, 0x1", "AAECAw"} {
		if strings.Contains(text, leak) {
			t.Errorf("the key shows as %q in %s", leak, text)
		}
	}
	if !strings.Contains(text, "[secret key]") {
		t.Errorf("no placeholder in %s", text)
	}
}

func FuzzParseSecretKey(f *testing.F) {
	f.Add(strings.Repeat("ab", 32))
	f.Add(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{255}, 32)))
	f.Add("\n-_=")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := database.ParseSecretKey(text)
		if (err == nil) == key.IsZero() {
			t.Errorf("%q gives key %t and %v", text, !key.IsZero(), err)
		}
	})
}
