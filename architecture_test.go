// Package postern_test holds the rules of docs/architecture.md: who may import whom.
package postern_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "postern"

// mayImport lists, for each part of the program, the other parts that its code may import. A part is a folder of the
// repository's root with all that is below it. An entry with a slash allows only that package.
var mayImport = map[string][]string{
	"cmd":        {"bridge", "gatekeeper", "provider"},
	"bridge":     {"portal", "puppet", "provider", "interop", "database", "docs"},
	"portal":     {"puppet", "interop"},
	"puppet":     {"interop"},
	"database":   {"interop", "provider", "puppet"},
	"gatekeeper": {"interop/wire"},
	"interop":    {},
	"provider":   {},
	"docs":       {}, // texts, for tests and for the admin page
}

// standAlone lists packages that import nothing of ours, not even of their own part.
var standAlone = []string{"bridge/preview", "bridge/transcode", "bridge/records", "bridge/consent", "bridge/metrics", "bridge/admin",
	"bridge/trace", "bridge/adminpage", "bridge/troubles", "bridge/settings"}

// withinBridge lists, for the packages of bridge/ that do not stand alone, the other packages of bridge/ that they may import. All of them
// are below the daemon, which is bridge itself: none imports that.
var withinBridge = map[string][]string{
	"bridge/adminroom":  {"bridge/homeserver"},
	"bridge/attendance": {},
	"bridge/limits":     {},
	"bridge/audit":      {},
	"bridge/connector": {"bridge/adminroom", "bridge/attendance", "bridge/audit", "bridge/consent", "bridge/homeserver", "bridge/limits", "bridge/metrics",
		"bridge/outbound", "bridge/preview", "bridge/records", "bridge/settings", "bridge/transcode", "bridge/users"},
	"bridge/doctor":     {"bridge/config", "bridge/homeserver", "bridge/metrics", "bridge/transcode"},
	"bridge/config":     {},
	"bridge/homeserver": {},
	"bridge/outbound":   {"bridge/preview"},
	"bridge/users":      {"bridge/audit", "bridge/consent", "bridge/records", "bridge/settings"},
}

// neverImport lists what code of a part must not import from outside the module; "" is for all parts. A prefix of the
// import path is enough.
var neverImport = map[string][]string{
	// The whole client refuses interop addresses and shares no lock between sending and receiving: ours replaces it. The
	// sandbox plays those who have it, see playsWhatsApp.
	"": {"go.mau.fi/whatsmeow$", "go.mau.fi/whatsmeow/store"},
	// The client has to run on the user's own device one day: no Matrix, no database.
	"interop":  {"maunium.net/", "database/sql", "go.mau.fi/util/dbutil", "github.com/mattn/go-sqlite3", "github.com/lib/pq"},
	"provider": {"maunium.net/", "database/sql", "go.mau.fi/util/dbutil", "go.mau.fi/libsignal"},
	// Conversion without input or output.
	"portal": {"database/sql", "net/http$", "go.mau.fi/util/dbutil", "os$"},
	// The sandbox stands for someone else's server, so it knows nothing of Matrix.
	"gatekeeper": {"maunium.net/"},
}

// onlyIn lists packages from outside that only one of ours may import: by prefix of the import path.
var onlyIn = map[string]string{
	// All others tell what happens to hooks of their own, so that they can be used and tested without.
	"github.com/prometheus/": "bridge/metrics",
}

// playsWhatsApp lists packages that are the WhatsApp user, with WhatsApp's own kind of client.
var playsWhatsApp = []string{"gatekeeper/waclient", "gatekeeper/phone"}

// vagueNames are package names that say nothing about what is inside.
var vagueNames = []string{"util", "utils", "common", "helpers", "misc", "shared", "base", "lib"}

// goPackage is what we need of `go list -json`.
type goPackage struct {
	ImportPath string
	Name       string
	Imports    []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	command := exec.Command("go", "list", "-tags", "goolm", "-json=ImportPath,Name,Imports", "./...")
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go list failed: %v\n%s", err, &problems)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(output)); ; {
		var pkg goPackage
		if err = decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, pkg)
	}
}

// inside cuts the module off an import path; ok is false for packages of others.
func inside(importPath string) (rest string, ok bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func partOf(rest string) string {
	part, _, _ := strings.Cut(rest, "/")
	return part
}

// forTests tells packages that exist to test others, such as interop/storetest.
func forTests(pkg goPackage) bool { return strings.HasSuffix(pkg.Name, "test") }

func TestPartsImportOnlyWhatTheyMay(t *testing.T) {
	for _, pkg := range listPackages(t) {
		rest, _ := inside(pkg.ImportPath)
		part := partOf(rest)
		allowed, known := mayImport[part]
		if part != "" && !known {
			t.Errorf("%s belongs to no part of the architecture: add it to docs/architecture.md and to this test", pkg.ImportPath)
			continue
		}
		for _, imported := range pkg.Imports {
			other, ours := inside(imported)
			if !ours || partOf(other) == part && part != "" {
				continue
			}
			if !slices.Contains(allowed, partOf(other)) && !slices.Contains(allowed, other) {
				t.Errorf("%s must not import %s", pkg.ImportPath, imported)
			}
		}
	}
}

func TestSomePackagesStandAlone(t *testing.T) {
	var seen []string
	for _, pkg := range listPackages(t) {
		rest, _ := inside(pkg.ImportPath)
		if !slices.Contains(standAlone, rest) {
			continue
		}
		seen = append(seen, rest)
		for _, imported := range pkg.Imports {
			if _, ours := inside(imported); ours {
				t.Errorf("%s must not import %s", pkg.ImportPath, imported)
			}
		}
	}
	if len(seen) != len(standAlone) {
		t.Errorf("there are %q, want %q", seen, standAlone)
	}
}

func TestTheBridgesPackagesHaveAnOrder(t *testing.T) {
	for _, pkg := range listPackages(t) {
		rest, _ := inside(pkg.ImportPath)
		if partOf(rest) != "bridge" || rest == "bridge" || forTests(pkg) || slices.Contains(standAlone, rest) {
			continue
		}
		allowed, known := withinBridge[rest]
		if !known {
			t.Errorf("%s has no place in the architecture: add it to docs/architecture.md and to this test", pkg.ImportPath)
		}
		for _, imported := range pkg.Imports {
			if other, ours := inside(imported); ours && partOf(other) == "bridge" && !slices.Contains(allowed, other) {
				t.Errorf("%s must not import %s", pkg.ImportPath, imported)
			}
		}
	}
}

func TestPartsStayAwayFromForeignPackages(t *testing.T) {
	for _, pkg := range listPackages(t) {
		rest, _ := inside(pkg.ImportPath)
		forbidden := slices.Concat(neverImport[""], neverImport[partOf(rest)])
		if slices.Contains(playsWhatsApp, rest) {
			forbidden = neverImport[partOf(rest)]
		}
		for _, imported := range pkg.Imports {
			for _, prefix := range forbidden {
				// A $ at the end asks for exactly this package.
				if strings.HasPrefix(imported+"$", prefix) {
					t.Errorf("%s must not import %s", pkg.ImportPath, imported)
				}
			}
		}
	}
}

func TestSomeForeignPackagesStayInOnePlace(t *testing.T) {
	for _, pkg := range listPackages(t) {
		rest, _ := inside(pkg.ImportPath)
		for _, imported := range pkg.Imports {
			for prefix, place := range onlyIn {
				if strings.HasPrefix(imported, prefix) && rest != place {
					t.Errorf("%s must not import %s, only %s may", pkg.ImportPath, imported, place)
				}
			}
		}
	}
}

func TestProgramsHoldNoTestCode(t *testing.T) {
	for _, pkg := range listPackages(t) {
		if forTests(pkg) {
			continue
		}
		for _, imported := range pkg.Imports {
			if imported == "testing" || imported == "net/http/httptest" ||
				strings.HasPrefix(imported, module+"/") && strings.HasSuffix(imported, "test") {
				t.Errorf("%s is no test, but imports %s", pkg.ImportPath, imported)
			}
		}
	}
}

func TestPackageNamesSayWhatIsInside(t *testing.T) {
	for _, pkg := range listPackages(t) {
		if slices.Contains(vagueNames, path.Base(pkg.ImportPath)) || slices.Contains(vagueNames, pkg.Name) {
			t.Errorf("%s has a name that says nothing", pkg.ImportPath)
		}
	}
}

// TestTestbedStaysOutOfTheProgram: the testbed is a module of its own, so that the homeservers and clients that it
// needs are no dependencies of the bridge.
func TestTestbedStaysOutOfTheProgram(t *testing.T) {
	for _, pkg := range listPackages(t) {
		if strings.HasPrefix(pkg.ImportPath, module+"/testbed") {
			t.Errorf("%s is part of the main module", pkg.ImportPath)
		}
	}
	output, err := exec.Command("go", "list", "-m", "-f", "{{.Path}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	for foreign := range strings.Lines(string(output)) {
		if foreign = strings.TrimSpace(foreign); strings.Contains(foreign, "dendrite") || foreign == "honnef.co/go/tools" {
			t.Errorf("the main module depends on %s", foreign)
		}
	}
}
