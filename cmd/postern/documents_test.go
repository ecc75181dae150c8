package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var inText = regexp.MustCompile("`postern ([a-z][^`\n]*)`")

// TestCommandsNamedInDocumentsExist: those that the text names, with their flags. The ones in blocks are run, see testbed/e2e.
func TestCommandsNamedInDocumentsExist(t *testing.T) {
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range inText.FindAllStringSubmatch(string(document), -1) {
			named++
			found, rest, err := newRoot().Find(strings.Fields(command[1]))
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err != nil || !found.Runnable() && found.Flags().NArg() > 0 {
				t.Errorf("%s names `postern %s`: %v", path, command[1], err)
			}
		}
	}
	if named < 40 {
		t.Errorf("only %d commands were found", named)
	}
}

// TestExamplesInHelpTextsExist holds the texts of --help to the same.
func TestExamplesInHelpTextsExist(t *testing.T) {
	checked := 0
	var walk func(command *cobra.Command)
	walk = func(command *cobra.Command) {
		for line := range strings.Lines(strings.ReplaceAll(command.Example+"\n"+command.Long, "\\\n", " ")) {
			if !strings.HasPrefix(line, "  ") {
				continue // prose
			}
			if example := inBlock.FindStringSubmatch(line); example != nil {
				checked++
				checkCommand(t, command.CommandPath()+" --help", example[1], true)
			}
		}
		for _, child := range command.Commands() {
			walk(child)
		}
	}
	walk(newRoot())
	if checked < 5 {
		t.Errorf("only %d examples were found", checked)
	}
}
