package postern_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// daemonParts are the folders whose texts admins and users of the bridge can meet.
var daemonParts = []string{"cmd", "bridge", "portal", "puppet", "interop", "provider", "database"}

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
	for _, path := range sourceFiles(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(plain(string(content)))
	}
	return text.String()
}

func sourceFiles(t *testing.T) (paths []string) {
	t.Helper()
	for _, part := range daemonParts {
		err := filepath.WalkDir(part, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				paths = append(paths, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// saysEnough are beginnings of texts that admins can meet and that say themselves what to do, or that nothing is to be done.
var saysEnough = []string{
	// With the remedy in the text.
	"PostgreSQL makes consistent copies itself", "the config names a PostgreSQL database", "the database was not used by this version",
	"there is no admin page", "no secret key is configured", "the secret key is configured both", "the PostgreSQL database does not store UTF-8",
	"there is no next signing key; make one first", "unknown database type", "access tokens of users are not taken",
	// Carried to the user, or to the caller, in words of their own.
	"no such enlistment", "the user has an enlistment", "only users of this homeserver can get", "not a Matrix ID", "no gatekeeper with this audience",
	"there is no such file", "the file is too large to be hosted", "the owner's hosted files take", "the partner server hosts no files",
	"the homeserver does not have the file", "the file is damaged", "the event does not describe its file", "the file has another length",
	"the message cannot be read any more", "the room is not encrypted", "the bot is not in the room", "double puppeting is not set up",
	"no such user at the gatekeeper", "not a phone number in international form", "contact does not accept third-party chats", "too many pings",
	"chat channel is not connected", "message too large for the chat channel", "the message does not describe its file", "the file is not there",
	"the file is too large", "the media host does not answer", "it will never succeed", "there is a next signing key already",
	"ffmpeg is turned off", "a user is not alone with the bot", "the user is suspended already", "the user is not suspended",
	// Faults of the program, which no admin can cause.
	"unknown state of an outgoing message", "malformed address of a device", "a nested transaction failed", "partner server is not configured right",
	"the SQLite connection does not enforce", "a database can be moved from SQLite", "Dropped a message status",
}

// TestTroubleshootingKnowsWhatAdminsMeet: the errors that have a name, and the lines of the log from the level warn on. Lines that begin with
// "Failed to" need no entry: the page says how to read their error.
func TestTroubleshootingKnowsWhatAdminsMeet(t *testing.T) {
	content, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	page := plain(string(content))
	texts := 0
	for _, path := range sourceFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(namedErrors(path, file), warnings(file)...) {
			texts++
			start := remedyOrCause.Split(text, 2)[0]
			has := func(beginning string) bool { return strings.HasPrefix(text, beginning) }
			if !strings.Contains(page, plain(start)) && !has("Failed to ") && !slices.ContainsFunc(saysEnough, has) {
				t.Errorf("%s: docs/troubleshooting.md has no entry for %q", path, text)
			}
		}
	}
	if texts < 150 {
		t.Errorf("only %d texts were found", texts)
	}
}

// remedyOrCause is what goes on in a text after it said what happened.
var remedyOrCause = regexp.MustCompile(`[:;.] |, and `)

// namedErrors returns the texts of the errors that a file exports, if it belongs to a package whose errors come to the admin.
func namedErrors(path string, file *ast.File) (texts []string) {
	if !slices.Contains([]string{"bridge", "bridge/users", "bridge/homeserver", "database", "provider", "interop"}, filepath.ToSlash(filepath.Dir(path))) {
		return nil
	}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Err") {
			return true
		}
		if call, ok := spec.Values[0].(*ast.CallExpr); ok && len(call.Args) == 1 {
			texts = append(texts, literal(call.Args[0]))
		}
		return true
	})
	return texts
}

// warnings returns what a file logs at the levels warn and error.
func warnings(file *ast.File) (texts []string) {
	ast.Inspect(file, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) != 1 {
			return true
		}
		chain := methodChain(call)
		if len(chain) < 2 || chain[0] != "Msg" || slices.ContainsFunc(chain, func(method string) bool {
			return method == "Trace" || method == "Debug" || method == "Info"
		}) {
			return true
		}
		if text := literal(call.Args[0]); text != "" {
			texts = append(texts, text)
		}
		return true
	})
	return texts
}

// methodChain returns the names of methods that are called on one another's results, the last first.
func methodChain(call *ast.CallExpr) (names []string) {
	for call != nil {
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			break
		}
		names = append(names, selector.Sel.Name)
		call, _ = selector.X.(*ast.CallExpr)
	}
	return names
}

// literal returns the text of a string, or of strings that are added; "" for anything else.
func literal(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	default:
		return ""
	}
}
