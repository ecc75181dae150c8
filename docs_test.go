package postern_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns the Markdown files of the main module and the testbed.
func documents(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, pattern := range []string{"*.md", "docs/*.md", "testbed/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) < 8 {
		t.Fatalf("only %d documents found: %q", len(paths), paths)
	}
	return paths
}

var markdownLink = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if target, err := url.Parse(link[1]); err != nil || target.IsAbs() {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", document, link[1], err)
			}
		}
	}
}

var (
	// pathInText is a file or folder of the repository that a document names.
	pathInText = regexp.MustCompile("`((?:bridge|portal|puppet|interop|provider|database|gatekeeper|testbed|cmd|docs)/[a-z0-9_./-]*)`")
	// notYet are files that recipes tell people to make.
	notYet = map[string]bool{"portal/location.go": true, "interop/block.go": true, "database/upgrades/NN-what.sql": true}
)

func TestFilesNamedInDocumentsExist(t *testing.T) {
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range pathInText.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(name[1]); err != nil && !notYet[name[1]] {
				t.Errorf("%s names %s: %v", document, name[1], err)
			}
		}
	}
}

var (
	troubleshootingEntry = regexp.MustCompile(`(?m)^\*\*.*\*\*.*$`)
	// errorText is a text of the program: in backticks with a space in it, which configuration keys do not have, or in quotes.
	errorText = regexp.MustCompile("`([^`]* [^`]*)`|\"([^\"]+)\"")
	ellipsis  = regexp.MustCompile(`"?\.\.\."?`)
)

// TestTroubleshootingKnowsTheProgramsWords: people search the page for what they see, so it must be what they see.
func TestTroubleshootingKnowsTheProgramsWords(t *testing.T) {
	page, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	program := sourceText(t)
	checked := 0
	for _, entry := range troubleshootingEntry.FindAllString(string(page), -1) {
		for _, quoted := range errorText.FindAllStringSubmatch(entry, -1) {
			for _, piece := range ellipsis.Split(quoted[1]+quoted[2], -1) {
				if piece = strings.Trim(piece, " ;"); strings.Count(piece, " ") < 2 {
					continue
				}
				checked++
				if !strings.Contains(program, plain(piece)) {
					t.Errorf("nothing in the program says %q", piece)
				}
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d texts were checked", checked)
	}
}

var (
	joinedStrings = regexp.MustCompile(`" \+\s*"`)
	formatVerb    = regexp.MustCompile(`%(\[\d\])?[.0-9]*[a-z]`)
)

// plain takes out of a text what differs between the source and what people see.
func plain(text string) string {
	text = joinedStrings.ReplaceAllString(text, "")
	text = formatVerb.ReplaceAllString(text, "")
	return strings.NewReplacer("`", "", "\\", "", "65536 ", " ", "example.org", "").Replace(text)
}

// sourceText is the source of the daemon without tests.
func sourceText(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, part := range []string{"cmd", "bridge", "portal", "puppet", "interop", "provider", "database"} {
		err := filepath.WalkDir(part, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			text.WriteString(plain(string(content)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}
