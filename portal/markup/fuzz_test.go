package markup_test

import (
	"strings"
	"testing"

	"postern/portal/markup"
)

func seed(f *testing.F) {
	for _, path := range []string{"testdata/from_html.golden", "testdata/to_html.golden"} {
		for _, test := range readGolden(f, path) {
			f.Add(test.in)
			f.Add(test.want)
		}
	}
}

// FuzzToHTML: whatever a contact sends becomes balanced HTML of known elements.
func FuzzToHTML(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		result, _ := markup.ToHTML(text)
		checkHTML(t, result)
		if len(result) > 16*(len(text)+1) {
			t.Errorf("%d bytes became %d: %q", len(text), len(result), result)
		}
	})
}

// FuzzFromHTML: whatever HTML a Matrix user's client makes becomes a bounded, valid text that WhatsApp shows as meant.
func FuzzFromHTML(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, source string) {
		text := markup.FromHTML(source, markup.Plain)
		checkText(t, source, text)
		result := shownAs(text)
		checkHTML(t, result)
		checkStable(t, text, result)
	})
}

// checkStable fails if a text that is shown as the given HTML looks different after it went to WhatsApp once more.
func checkStable(t *testing.T, text, shown string) {
	t.Helper()
	if strings.ContainsAny(text, "\t\f\v\r") || strings.Contains(text, "  ") || strings.Contains(text, " \n") || strings.Contains(text, "\n ") ||
		strings.Contains(text, "``` ") || strings.TrimSpace(text) != text {
		return // HTML does not keep runs of white space
	}
	again := markup.FromHTML(shown, markup.Plain)
	if result := shownAs(again); withoutHair(result) != withoutHair(shown) {
		t.Errorf("%q\nshown as %q\nbecomes  %q\nshown as %q", text, shown, again, result)
	}
}

// withoutHair is the HTML without the spaces that keep markers literal.
func withoutHair(source string) string { return normal(strings.ReplaceAll(source, "\u200a", "")) }

// FuzzFromText: plain text stays plain, whatever markers it holds; quotes and lists excepted.
func FuzzFromText(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, body string) {
		text := markup.FromText(body, markup.Plain)
		checkText(t, body, text)
		result, _ := markup.ToHTML(text)
		checkHTML(t, result)
		for _, tag := range []string{"<strong>", "<em>", "<del>", "<code>", "<pre>"} {
			if strings.Contains(result, tag) {
				t.Fatalf("%q became %q, shown as %q", body, text, result)
			}
		}
		if again := markup.FromText(text, markup.Plain); again != text {
			t.Errorf("%q became %q, and that %q", body, text, again)
		}
	})
}
