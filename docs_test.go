package postern_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

var (
	markdownLink = regexp.MustCompile(`\]\(([^)#]*)#?([^)]*)\)`)
	heading      = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors returns what links can lead to in a document, by GitHub's rule.
func anchors(t *testing.T, document string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[string]bool)
	for _, title := range heading.FindAllStringSubmatch(string(text), -1) {
		there[strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(title[1]), ""), " ", "-")] = true
	}
	return there
}

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
			target := document
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(document), link[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", document, link[1], err)
			} else if link[2] != "" && strings.HasSuffix(target, ".md") && !anchors(t, target)[link[2]] {
				t.Errorf("%s links to %s, which has no part %q", document, target, link[2])
			}
		}
	}
}

var (
	// pathInText is a file or folder of the repository that a document names.
	pathInText = regexp.MustCompile("`((?:bridge|portal|puppet|interop|provider|database|gatekeeper|testbed|cmd|docs)/[a-z0-9_./-]*)`")
	// notYet are files that recipes tell people to make.
	notYet = map[string]bool{"database/upgrades/NN-what.sql": true}
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
	testInText   = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]+)`")
	testInSource = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w+)\(`)
)

// TestTestsNamedInDocumentsExist: what shows that a promise is kept has to be there. A document may name the beginning of several.
func TestTestsNamedInDocumentsExist(t *testing.T) {
	var there []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			if entry != nil && entry.IsDir() && (path == "build" || strings.HasPrefix(path, ".git")) {
				return fs.SkipDir
			}
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range testInSource.FindAllStringSubmatch(string(source), -1) {
			there = append(there, found[1])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range testInText.FindAllStringSubmatch(string(text), -1) {
			if !slices.ContainsFunc(there, func(name string) bool { return strings.HasPrefix(name, named[1]) }) {
				t.Errorf("%s names %s, which is not there", document, named[1])
			}
		}
	}
}

var (
	makeInText = regexp.MustCompile("(?m)(?:`|^ *)make ([a-z][a-z/-]*)")
	makeTarget = regexp.MustCompile(`(?m)^([a-z][a-z/-]*):`)
)

func TestMakeTargetsInDocumentsExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	targets := make(map[string]bool)
	for _, target := range makeTarget.FindAllStringSubmatch(string(makefile), -1) {
		targets[target[1]] = true
	}
	checked := 0
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		// Commands stand in backticks, or in blocks of code, of which only the part between fences is looked at.
		for i, part := range strings.Split(string(text), "```") {
			for _, found := range makeInText.FindAllStringSubmatch(part, -1) {
				if i%2 == 0 && !strings.HasPrefix(found[0], "`") {
					continue // the word
				}
				if checked++; !targets[found[1]] {
					t.Errorf("%s: there is no `make %s`", document, found[1])
				}
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d were found", checked)
	}
}
