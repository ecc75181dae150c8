package markup_test

import (
	"os"
	"strings"
	"testing"

	"postern/portal/markup"
)

// golden is one input with what is expected for it. In the files, "== name" begins one and "-- " the expectation;
// {hair} and {nbsp} stand for white space that an editor would not show.
type golden struct{ name, in, kind, want string }

func readGolden(t testing.TB, path string) []golden {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	text := strings.NewReplacer("{hair}", "\u200a", "{nbsp}", "\u00a0").Replace(string(data))
	for _, part := range strings.Split("\n"+text, "\n== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		in, expected, ok := strings.Cut(rest, "\n-- ")
		if !ok {
			t.Fatalf("%s: %q has no expectation", path, name)
		}
		kind, want, _ := strings.Cut(expected, "\n")
		cases = append(cases, golden{name, in, kind, strings.TrimSuffix(want, "\n")})
	}
	if len(cases) < 20 {
		t.Fatalf("%s: only %d cases", path, len(cases))
	}
	return cases
}

func TestFromHTML(t *testing.T) {
	for _, test := range readGolden(t, "testdata/from_html.golden") {
		t.Run(test.name, func(t *testing.T) {
			if got := markup.FromHTML(test.in, markup.Plain); got != test.want {
				t.Errorf("FromHTML(%q)\n got %q\nwant %q", test.in, got, test.want)
			}
		})
	}
}

func TestToHTML(t *testing.T) {
	for _, test := range readGolden(t, "testdata/to_html.golden") {
		t.Run(test.name, func(t *testing.T) {
			got, formatted := markup.ToHTML(test.in)
			if formatted != (test.kind == "html") {
				t.Errorf("ToHTML(%q) = %q, formatted %t", test.in, got, formatted)
			}
			if formatted && got != test.want {
				t.Errorf("ToHTML(%q)\n got %q\nwant %q", test.in, got, test.want)
			}
		})
	}
}
