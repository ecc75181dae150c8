package puppet_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"postern/puppet"
)

func TestSafeName(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"plain":                     {"Bob Müller", "Bob Müller"},
		"spaces around and inside":  {"  Bob \t\n  Müller ", "Bob Müller"},
		"no-break and wide spaces":  {"Bob\u00a0\u3000Müller", "Bob Müller"},
		"emoji family kept":         {"Bob 👨\u200d👩\u200d👧", "Bob 👨\u200d👩\u200d👧"},
		"Persian joiner kept":       {"می\u200cخواهم", "می\u200cخواهم"},
		"Arabic kept":               {"محمد", "محمد"},
		"direction override gone":   {"Bob\u202egnp.exe", "Bobgnp.exe"},
		"isolates gone":             {"\u2066Bob\u2069\u200f\u200e\u061c", "Bob"},
		"controls gone":             {"B\x00o\x1bb\x7f\u0085x", "Bob x"},
		"line separator is a space": {"Bob\u2028Eve", "Bob Eve"},
		"zero width space gone":     {"B\u200bo\ufeffb\u00ad", "Bob"},
		"joiner at the ends gone":   {"\u200dBob\u200d", "Bob"},
		"only invisible":            {"\u200b\u200d\u3164\u2800 \u115f", ""},
		"only marks":                {"\u0301\u0301", ""},
		"private use gone":          {"Bob\ue000", "Bob"},
		"broken UTF-8 gone":         {"Bo\xff\xfeb", "Bob"},
		"tower of marks cut":        {"B" + strings.Repeat("\u0301", 50) + "ob", "B" + strings.Repeat("\u0301", 4) + "ob"},
		"empty":                     {"", ""},
		"phone number":              {"+49 151 12345678", ""},
		"phone number with dashes":  {"(0151) 1234-5678", ""},
		"phone number, wide digits": {"＋４９１５１１２３４５６７８", ""},
		"Matrix ID":                 {"@alice:example.org", ""},
		"few digits":                {"007", "007"},
		"name with a number":        {"Bob 1234567", "Bob 1234567"},
		"at sign in a name":         {"@bob", "@bob"},
		"markup is only text":       {"<b>Bob</b>", "<b>Bob</b>"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := puppet.SafeName(test.raw); got != test.want {
				t.Errorf("SafeName(%q) = %q, want %q", test.raw, got, test.want)
			}
		})
	}
}

func TestSafeNameCutsLongNames(t *testing.T) {
	exact := strings.Repeat("ö", puppet.MaxNameLength)
	if got := puppet.SafeName(exact); got != exact {
		t.Errorf("name of the greatest length was changed: %q", got)
	}
	for name, raw := range map[string]string{
		"one too many":           exact + "x",
		"much too long":          strings.Repeat("ö", 100_000),
		"space at the cut":       strings.Repeat("ö", puppet.MaxNameLength-1) + " xyz",
		"joiner before the cut":  strings.Repeat("ö", puppet.MaxNameLength-2) + "\u200dxyz",
		"words all along":        strings.Repeat("ab ", 100),
		"space after the length": exact + " x",
	} {
		t.Run(name, func(t *testing.T) {
			got := puppet.SafeName(raw)
			if length := utf8.RuneCountInString(got); length > puppet.MaxNameLength || length < puppet.MaxNameLength-2 {
				t.Errorf("SafeName has %d characters: %q", length, got)
			}
			if !strings.HasSuffix(got, "…") || strings.HasSuffix(got, " …") || strings.HasSuffix(got, "\u200d…") {
				t.Errorf("SafeName ends in %q", got[len(got)-8:])
			}
		})
	}
}

func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{"Bob", "\u202eBob", "👨\u200d👩", strings.Repeat("a ", 200), "\xff", "+49151123456", strings.Repeat("0", 70), "B\u0301\u0301"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := puppet.SafeName(raw)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > puppet.MaxNameLength || strings.TrimSpace(got) != got {
			t.Fatalf("SafeName(%q) = %q", raw, got)
		}
		for _, r := range got {
			if r != '\u200d' && r != '\u200c' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) {
				t.Errorf("SafeName(%q) = %q holds %U", raw, got, r)
			}
		}
		if again := puppet.SafeName(got); again != got {
			t.Errorf("SafeName(%q) = %q, again: %q", raw, got, again)
		}
	})
}
