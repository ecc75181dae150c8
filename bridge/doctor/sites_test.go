package doctor_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"postern/bridge/doctor"
)

// seen are all findings of all tests.
var seen struct {
	lock     sync.Mutex
	findings []doctor.Finding
}

// remember is called with what an examination found.
func remember(findings []doctor.Finding) []doctor.Finding {
	seen.lock.Lock()
	defer seen.lock.Unlock()
	seen.findings = append(seen.findings, findings...)
	return findings
}

// site is a place in the source that makes a finding which is not ok. Of its texts, those parts are known that stand in the source.
type site struct {
	place        string
	status       doctor.Status
	check        string // "" if that is not known
	text, remedy *regexp.Regexp
}

func (s site) made(finding doctor.Finding) bool {
	return finding.Status == s.status && (s.check == "" || finding.Check == s.check) &&
		s.text.MatchString(finding.Text) && s.remedy.MatchString(finding.Remedy)
}

// sites finds them all.
func sites() (all []site, err error) {
	files := token.NewFileSet()
	packages, err := parser.ParseDir(files, ".", func(info fs.FileInfo) bool { return !strings.HasSuffix(info.Name(), "_test.go") }, 0)
	if err != nil {
		return nil, err
	}
	for _, file := range packages["doctor"].Files {
		for _, declaration := range file.Decls {
			ast.Inspect(declaration, func(node ast.Node) bool {
				call, ok := node.(*ast.CallExpr)
				if !ok || len(call.Args) != 3 {
					return true
				}
				name, ok := call.Fun.(*ast.Ident)
				if !ok || name.Name != "note" && name.Name != "warning" && name.Name != "fault" {
					return true
				}
				one := site{
					place: files.Position(call.Pos()).String(), status: doctor.Status(name.Name), text: pattern(call.Args[1]), remedy: pattern(call.Args[2]),
				}
				if literal, ok := constant(call.Args[0]); ok {
					one.check = literal
				}
				all = append(all, one)
				return true
			})
		}
	}
	return all, nil
}

// constant returns the value of a literal or of a constant.
func constant(expression ast.Expr) (string, bool) {
	switch e := expression.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.Ident:
		if e.Obj == nil || e.Obj.Kind != ast.Con {
			return "", false
		}
		if spec, ok := e.Obj.Decl.(*ast.ValueSpec); ok {
			for i, name := range spec.Names {
				if name.Name == e.Name && i < len(spec.Values) {
					return constant(spec.Values[i])
				}
			}
		}
	}
	return "", false
}

var verb = regexp.MustCompile(`%(\[\d\])?[.0-9]*[a-z]`)

// pattern matches what an expression may be, with anything for what is not known.
func pattern(expression ast.Expr) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + parts(expression) + "$")
}

func parts(expression ast.Expr) string {
	if text, ok := constant(expression); ok {
		return regexp.QuoteMeta(text)
	}
	switch e := expression.(type) {
	case *ast.BinaryExpr:
		return parts(e.X) + parts(e.Y)
	case *ast.CallExpr:
		if format, ok := e.Fun.(*ast.SelectorExpr); ok && format.Sel.Name == "Sprintf" {
			if text, ok := constant(e.Args[0]); ok {
				var literals []string
				for _, literal := range verb.Split(text, -1) {
					literals = append(literals, regexp.QuoteMeta(literal))
				}
				return strings.Join(literals, ".*")
			}
		}
	}
	return ".*"
}

// notProvoked are beginnings of texts that no test can bring about, with the reason.
var notProvoked = map[string]string{"Conversions need Linux.": "the tests run on Linux only"}

func cannotBe(one site) bool {
	for text := range notProvoked {
		if one.text.MatchString(text + " Voice messages, GIFs and stickers that need a conversion are sent as ordinary files.") {
			return true
		}
	}
	return false
}

// everySiteWasSeen looks at the end of a run of all tests whether each place of the source that makes a finding made it: what was never
// seen may not be able to happen, or not say what it should.
func everySiteWasSeen() (missing []string) {
	if flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.list").Value.String() != "" {
		return nil
	}
	all, err := sites()
	if err != nil {
		return []string{err.Error()}
	}
	for _, one := range all {
		wasSeen := false
		for _, finding := range seen.findings {
			wasSeen = wasSeen || one.made(finding)
		}
		if !wasSeen && !cannotBe(one) {
			missing = append(missing, fmt.Sprintf("%s: no test provokes this %s of %q: %s", one.place, one.status, one.check, one.text))
		}
	}
	if len(all) < 100 {
		missing = append(missing, fmt.Sprintf("only %d places were found", len(all)))
	}
	return missing
}

func reportSites(code int) int {
	missing := everySiteWasSeen()
	for _, line := range missing {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(missing) > 0 {
		return max(code, 1)
	}
	return code
}
