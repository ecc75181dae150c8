package phone_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"postern/gatekeeper/phone"
)

func TestNamesAreTidied(t *testing.T) {
	for name, want := range map[string]string{
		"Alice":                           "Alice",
		"  Alice \n of\tWonderland ":      "Alice of Wonderland",
		"\u202Ebob\u202C":                 "bob",
		"Al\u200Bi\u200Dce\uFEFF":         "Alice",
		"\u2066Alice\u2069 \u200F":        "Alice",
		"A\u0301\u0302\u0303\u0304\u0305": "A\u0301\u0302\u0303",
		"\u0301":                          "",
		"\u3164\u2800":                    "",
		"👩\u200D💻 dev":                    "👩\u200D💻 dev",
		"Zoë Müller":                      "Zoë Müller",
		"محمد":                            "محمد",
		"bad\xffbytes":                    "badbytes",
		strings.Repeat("x", 10_000):       strings.Repeat("x", 48) + "…",
		strings.Repeat("\u200B", 10_000):  "",
	} {
		if got := phone.TidyName(name); got != want {
			t.Errorf("%.40q became %q, want %q", name, got, want)
		}
	}
}

// FuzzTidyName: what is left is short, one line, valid, and tidy already.
func FuzzTidyName(f *testing.F) {
	for _, seed := range []string{"Alice", "\u202Ebob", "👩\u200D💻", "a\u0301\u0301\u0301\u0301\u0301", "\xff", strings.Repeat("é ", 100), "\u200D\uFE0F"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got := phone.TidyName(name)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\t\u202A\u202B\u202C\u202D\u202E\u2066\u2067\u2068\u2069\u200B\u200E\u200F") {
			t.Errorf("%q became %q", name, got)
		}
		if runes := utf8.RuneCountInString(got); runes > 500 {
			t.Errorf("%d characters are left", runes)
		}
		if again := phone.TidyName(got); again != got && !strings.HasSuffix(got, "…") {
			t.Errorf("%q became %q and then %q", name, got, again)
		}
	})
}
