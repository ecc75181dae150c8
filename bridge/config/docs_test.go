package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"postern/bridge/config"
)

var (
	// keyInText is a key in a document: in code, with its section, such as public.s3.bucket. A name of two words and no section may be
	// anything, so it is not looked at.
	keyInText      = regexp.MustCompile("`([a-z_0-9]+(?:\\[\\])?(?:\\.[a-z_0-9*]+)+)`")
	variableInText = regexp.MustCompile(`POSTERN_[A-Z0-9_]*[A-Z0-9]`)
)

// ofTests are variables of the testbed, which CONTRIBUTING.md explains.
var ofTests = []string{"POSTERN_HOMESERVER", "POSTERN_DATABASE", "POSTERN_RACE", "POSTERN_KEEP", "POSTERN_PICTURES", "POSTERN_BINARY"}

// TestKeysAndVariablesInDocumentsExist: whoever copies one out of a document is not told that it is unknown.
func TestKeysAndVariablesInDocumentsExist(t *testing.T) {
	sections, paths := make(map[string]bool), config.Paths()
	for _, path := range paths {
		section, _, _ := strings.Cut(path, ".")
		sections[section] = sections[section] || section != path
	}
	exists := func(name string) bool {
		return slices.ContainsFunc(paths, func(path string) bool {
			if before, after, isPattern := strings.Cut(name, "*"); isPattern { // limits.*_per_day
				return strings.HasPrefix(path, before) && strings.HasSuffix(path, after)
			}
			return path == name || strings.HasPrefix(path, name+".")
		})
	}
	documents := must(filepath.Glob("../../docs/*.md"))(t)
	keys, variables := 0, 0
	for _, document := range append(documents, "../../README.md", "../../CONTRIBUTING.md") {
		text := string(must(os.ReadFile(document))(t))
		for _, match := range keyInText.FindAllStringSubmatch(text, -1) {
			if section, name, _ := strings.Cut(match[1], "."); !sections[section] || name == "yaml" || name == "go" {
				continue // a file, or an event's type
			}
			if keys++; !exists(match[1]) {
				t.Errorf("%s: there is no key %s", document, match[1])
			}
		}
		for _, name := range variableInText.FindAllString(text, -1) {
			if variables++; len(config.UnknownVariables([]string{name + "=x"})) > 0 && !slices.Contains(ofTests, name) {
				t.Errorf("%s: there is no variable %s", document, name)
			}
		}
	}
	if keys < 100 || variables < 60 {
		t.Errorf("only %d keys and %d variables were found", keys, variables)
	}
}

func must[V any](value V, err error) func(*testing.T) V {
	return func(t *testing.T) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
