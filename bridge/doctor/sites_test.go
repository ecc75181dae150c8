package doctor_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"postern/bridge/doctor"
)

// seen are all findings of all tests.
var seen struct {
	lock     sync.Mutex
	findings []doctor.Finding
	// incomplete is why not all tests could run, "" if they did.
	incomplete string
}

// cannotRun notes why a test cannot run on this machine.
func cannotRun(reason string) {
	seen.lock.Lock()
	defer seen.lock.Unlock()
	seen.incomplete = reason
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
	place  string
	status doctor.Status
	// Each matches what it may be.
	check, text, remedy *regexp.Regexp
}

func (s site) made(finding doctor.Finding) bool {
	return finding.Status == s.status && s.check.MatchString(finding.Check) && s.text.MatchString(finding.Text) && s.remedy.MatchString(finding.Remedy)
}

// sites finds them all.
func sites() (all []site, err error) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	positions := token.NewFileSet()
	var declarations []ast.Decl
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(positions, name, nil, 0)
		if err != nil {
			return nil, err
		}
		declarations = append(declarations, file.Decls...)
	}
	everywhere := constants{}
	for _, declaration := range declarations {
		if general, ok := declaration.(*ast.GenDecl); ok {
			everywhere.add(general)
		}
	}
	for _, declaration := range declarations {
		known := maps.Clone(everywhere)
		known.add(declaration)
		ast.Inspect(declaration, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 3 {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && slices.Contains([]string{"note", "warning", "fault"}, name.Name) {
				all = append(all, site{
					place: positions.Position(call.Pos()).String(), status: doctor.Status(name.Name),
					check: known.pattern(call.Args[0]), text: known.pattern(call.Args[1]), remedy: known.pattern(call.Args[2]),
				})
			}
			return true
		})
	}
	return all, nil
}

// constants are what names stand for.
type constants map[string]ast.Expr

// add adds those that are declared in a part of the source.
func (c constants) add(part ast.Node) {
	ast.Inspect(part, func(node ast.Node) bool {
		if declared, ok := node.(*ast.GenDecl); ok && declared.Tok == token.CONST {
			for _, spec := range declared.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok && len(values.Values) == len(values.Names) {
					for i, name := range values.Names {
						c[name.Name] = values.Values[i]
					}
				}
			}
		}
		return true
	})
}

// pattern matches what an expression may be.
func (c constants) pattern(expression ast.Expr) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + c.parts(expression) + "$")
}

// verb is one of a format, as QuoteMeta leaves it.
var verb = regexp.MustCompile(`%(\\\[\d\\\])?(\\\.)?[0-9]*[a-z]`)

// parts is a regular expression with anything for what does not stand in the source.
func (c constants) parts(expression ast.Expr) string {
	switch e := expression.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return regexp.QuoteMeta(text)
		}
	case *ast.Ident:
		if value, ok := c[e.Name]; ok {
			return c.parts(value)
		}
	case *ast.BinaryExpr:
		return c.parts(e.X) + c.parts(e.Y)
	case *ast.CallExpr:
		if format, ok := e.Fun.(*ast.SelectorExpr); ok && format.Sel.Name == "Sprintf" {
			return verb.ReplaceAllString(c.parts(e.Args[0]), ".*")
		}
	}
	return ".*"
}

// notProvoked are beginnings of texts that no test can bring about, with the reason.
var notProvoked = map[string]string{"Conversions need Linux.": "the tests run on Linux only"}

func cannotBe(one site) bool {
	for text := range notProvoked {
		if strings.Contains(one.text.String(), regexp.QuoteMeta(text)) {
			return true
		}
	}
	return false
}

// everySiteWasSeen looks at the end of a run of all tests whether each place of the source that makes a finding made it: what was never
// seen may not be able to happen, or not say what it should.
func everySiteWasSeen() (missing []string) {
	for _, choice := range []string{"test.run", "test.skip", "test.fuzz", "test.list"} {
		if flag.Lookup(choice).Value.String() != "" {
			return nil
		}
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
			missing = append(missing, fmt.Sprintf("%s: no test provokes this %s: %s", one.place, one.status, one.text))
		}
	}
	if len(all) < 100 {
		missing = append(missing, fmt.Sprintf("only %d places were found", len(all)))
	}
	return missing
}

// reportSites returns what the program's tests exit with.
func reportSites(code int) int {
	missing := everySiteWasSeen()
	if len(missing) > 0 && seen.incomplete != "" {
		fmt.Fprintln(os.Stderr, "!!! NOT CHECKED whether tests provoke every finding: "+seen.incomplete)
		return code
	}
	for _, line := range missing {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(missing) > 0 {
		return max(code, 1)
	}
	return code
}
