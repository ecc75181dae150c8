package postern_test

import (
	"os/exec"
	"strings"
	"testing"
)

// builtFrom returns the versions of the modules that the module in the folder is built from, by path.
func builtFrom(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := exec.Command("go", "list", "-tags", "goolm", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./...")
	list.Dir = dir
	output, err := list.Output()
	if err != nil {
		t.Fatalf("go list in %s: %v", dir, err)
	}
	versions := make(map[string]string)
	for line := range strings.Lines(string(output)) {
		if path, version, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			versions[path] = version
		}
	}
	return versions
}

// TestBothModulesAreBuiltFromTheSameVersions: the testbed's tests of our packages then use the libraries that are shipped, and what was
// compiled for one module serves the other. Almost everything imports golang.org/x/sys, so one difference there compiles all of it twice.
func TestBothModulesAreBuiltFromTheSameVersions(t *testing.T) {
	program, testbed, compared := builtFrom(t, "."), builtFrom(t, "testbed"), 0
	for path, version := range program {
		other, ok := testbed[path]
		if !ok || path == module {
			continue
		}
		if compared++; version != other {
			t.Errorf("the program is built from %s %s, the testbed from %s: go get the newer one in the other's folder", path, version, other)
		}
	}
	if compared < 10 {
		t.Fatalf("only %d modules are in both", compared)
	}
}
