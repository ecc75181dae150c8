package e2e_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/docs"
)

// notRun are the commands in the documents that this test does not run, by how they begin, and why.
var notRun = []struct{ command, reason string }{
	{"make build", "every test builds the program; CI runs it"},
	{"make demo", "CI runs it"},
	{"make test", "it is what runs this"},
	{"make dist", "needs a version; packaging/dist is run for a release"},
	{"docker ", "make test-docker builds the images and starts the compose files"},
	{"sudo install ", "changes the machine"},
	{"sudo useradd ", "changes the machine"},
	{"sudo apt ", "changes the machine"},
	{"journalctl -u postern -f", "does not end; the test reads the log itself"},
	{"postern keys rotate --wait", "waits 21 minutes; provider/ and cmd/postern test it with a clock"},
}

// TestEveryCommandOfTheDocumentsIsKnown: a command that a document tells people to type is run by TestTheDocumentsCommandsWork, or it is
// said why not.
func TestEveryCommandOfTheDocumentsIsKnown(t *testing.T) {
	t.Parallel()
	known, used := make(map[documentedCommand]bool), make(map[string]bool)
	for _, step := range documentedSteps() {
		known[step.documentedCommand] = false
	}
	for _, command := range documentedCommands(t) {
		if _, ok := known[command]; ok {
			known[command] = true
			continue
		}
		found := false
		for _, exception := range notRun {
			if strings.HasPrefix(command.text, exception.command) {
				used[exception.command], found = true, true
			}
		}
		if !found {
			t.Errorf("%s has a command that no test knows. Add a step to documentedSteps, or say in notRun why it is not run:\n%s", command.document, command.text)
		}
	}
	for command, inDocument := range known {
		if !inDocument && !inText(t, command) {
			t.Errorf("%s does not have this any more:\n%s", command.document, command.text)
		}
	}
	for _, exception := range notRun {
		if !used[exception.command] {
			t.Errorf("no document has a command like %q any more", exception.command)
		}
	}
}

// inText tells whether a document names a command outside of blocks.
func inText(t *testing.T, command documentedCommand) bool {
	t.Helper()
	text, err := docs.Pages.ReadFile(command.document)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the README is elsewhere, and has blocks only
		t.Fatal(err)
	}
	return strings.Contains(string(text), "`"+command.text+"`")
}

// documentedCommand is a command in a document, which is named as its file is.
type documentedCommand struct{ document, text string }

func documentedCommands(t *testing.T) (commands []documentedCommand) {
	t.Helper()
	pages := map[string][]byte{"README.md": must(os.ReadFile(filepath.Join("..", "..", "README.md")))(t)}
	for _, file := range must(docs.Pages.ReadDir("."))(t) {
		pages[file.Name()] = must(docs.Pages.ReadFile(file.Name()))(t)
	}
	for name, text := range pages {
		for _, command := range docs.Commands(string(text)) {
			commands = append(commands, documentedCommand{name, command.Text})
		}
	}
	if len(commands) < 40 {
		t.Fatalf("only %d commands were found", len(commands))
	}
	return commands
}
