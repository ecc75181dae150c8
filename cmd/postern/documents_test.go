package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```")
	inBlock   = regexp.MustCompile(`(?:^|\s)postern (?:postern )?([a-z].*)`)
	inText    = regexp.MustCompile("`(postern [a-z][^`\n]*)`")
	// oneWord is a word of a command line, which may be in quotes.
	oneWord = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// TestCommandsInDocumentsExist: each has flags and arguments that the program takes. Nothing is run.
func TestCommandsInDocumentsExist(t *testing.T) {
	paths, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md") {
		document, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range codeBlock.FindAllStringSubmatch(string(document), -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
				if command := inBlock.FindStringSubmatch(line); command != nil {
					checked++
					checkCommand(t, path, command[1], true)
				}
			}
		}
		for _, command := range inText.FindAllStringSubmatch(blockless(string(document)), -1) {
			checked++
			checkCommand(t, path, strings.TrimPrefix(command[1], "postern "), false)
		}
	}
	if checked < 60 {
		t.Errorf("only %d commands were found", checked)
	}
}

func blockless(document string) string { return codeBlock.ReplaceAllString(document, "") }

// checkCommand wants a whole command line, up to a comment or a redirection, or just one that could be completed.
func checkCommand(t *testing.T, path, line string, whole bool) {
	t.Helper()
	var args []string
	for _, word := range oneWord.FindAllString(line, -1) {
		if strings.HasPrefix(word, "#") || strings.HasPrefix(word, ">") || word == "&&" || word == "|" {
			break
		}
		args = append(args, strings.Trim(word, `'"`))
	}
	command, rest, err := newRoot().Find(args)
	if err != nil || !command.Runnable() && len(rest) > 0 {
		t.Errorf("%s: %q is no command: %v", path, line, err)
		return
	}
	if err = command.ParseFlags(rest); err != nil {
		t.Errorf("%s: %q: %v", path, line, err)
	} else if err = command.ValidateArgs(command.Flags().Args()); err != nil && whole {
		t.Errorf("%s: %q: %v", path, line, err)
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
