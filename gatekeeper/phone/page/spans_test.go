package page_test

import (
	"slices"
	"strings"
	"testing"

	"postern/gatekeeper/phone/page"
)

func TestMarksBecomeStyles(t *testing.T) {
	type span = page.Span
	for text, want := range map[string][]span{
		"plain":             {{Text: "plain"}},
		"*bold*":            {{Text: "bold", Bold: true}},
		"a *b* c":           {{Text: "a "}, {Text: "b", Bold: true}, {Text: " c"}},
		"*_both_*":          {{Text: "both", Bold: true, Italic: true}},
		"*a _b_*":           {{Text: "a ", Bold: true}, {Text: "b", Bold: true, Italic: true}},
		"~gone~ `code *x*`": {{Text: "gone", Struck: true}, {Text: " "}, {Text: "code *x*", Code: true}},
		"```two\nlines```":  {{Text: "two\nlines", Code: true}},
		"2*3*4":             {{Text: "2*3*4"}},
		"snake_case_name":   {{Text: "snake_case_name"}},
		"* not *":           {{Text: "* not *"}},
		"*not\nhere*":       {{Text: "*not\nhere*"}},
		"**":                {{Text: "**"}},
		"*a*b* c":           {{Text: "a*b", Bold: true}, {Text: " c"}},
		"<b>no</b> *é*":     {{Text: "<b>no</b> "}, {Text: "é", Bold: true}},
	} {
		if got := page.Spans(text); !slices.Equal(got, want) {
			t.Errorf("%q became %+v", text, got)
		}
	}
}

// FuzzSpans: nothing is added and nothing but marks is lost, in time that does not explode.
func FuzzSpans(f *testing.F) {
	for _, seed := range []string{"*b* _i_ ~s~ `c`", "```", strings.Repeat("*a ", 5000), strings.Repeat("*_~", 3000), "*\xff*", "é*é*é"} {
		f.Add(seed)
	}
	marks := strings.NewReplacer("*", "", "_", "", "~", "", "`", "")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 16<<10 {
			return
		}
		var shown strings.Builder
		for _, span := range page.Spans(text) {
			shown.WriteString(span.Text)
		}
		if got, want := marks.Replace(shown.String()), marks.Replace(text); got != want || shown.Len() > len(text) {
			t.Errorf("%q became %q", text, shown.String())
		}
	})
}
