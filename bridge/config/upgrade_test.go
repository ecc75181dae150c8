package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/bridge/config"
)

// old is a config of a version that knew less, with an admin's own comments, order and indentation.
const old = `# our bridge; ask Kim
homeserver:
  address: http://localhost:8008   # the inner one
  domain: example.org

public:
  url: https://postern.example.org
  s3:
      bucket: files

  # media_days: 90 was too long
limits:
  file_mib: 50 # small disk

  messages_per_day: 10

# nobody else
admins:
- "@kim:example.org"
# the end`

func TestUpgradeAddsWhatIsMissingAndKeepsTheRest(t *testing.T) {
	upgraded, added, err := config.Upgrade("config.yaml", old)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  domain: example.org\n\nappservice:\n    # The registration's id.",
		// Beside its neighbours of the example, as the admin indents.
		"  file_mib: 50 # small disk\n  # How many files are carried at the same time, 1 to 64.\n  transfers: 4\n",
		"      bucket: files\n      # The two halves of a key",
		"  # media_days: 90 was too long\n  # How many days they wait, 1 to 90. A gatekeeper keeps messages for a phone that is off for 30 days.\n  media_days: 30\n\n",
		"      # The server's host, with a port if it is not the usual one, such as s3.eu-central-1.amazonaws.com.\n      endpoint: \"\"\n",
		"- \"@kim:example.org\"\n\n# The room in which the admins hear",
	} {
		if !strings.Contains(upgraded, want) {
			t.Errorf("this is missing:\n%s", want)
		}
	}
	for _, want := range []string{"appservice.hs_token", "public.s3.endpoint", "limits.transfers", "database.uri", "gatekeepers", "admin.listen"} {
		if !slices.Contains(added, want) {
			t.Errorf("%s is not among the added: %q", want, added)
		}
	}
	if t.Failed() {
		t.Log(upgraded)
	}
	checkUpgrade(t, old, upgraded)
}

// checkUpgrade holds an upgrade to what it promises: every old line is there in order, and nothing is missing any more.
func checkUpgrade(t *testing.T, old, upgraded string) {
	t.Helper()
	rest := strings.Split(upgraded, "\n")
	for line := range strings.SplitSeq(old, "\n") {
		at := slices.Index(rest, line)
		if at < 0 {
			t.Fatalf("this line is lost, or out of order: %q", line)
		}
		rest = rest[at+1:]
	}
	again, added, err := config.Upgrade("config.yaml", upgraded)
	if err != nil || len(added) > 0 || again != upgraded {
		t.Errorf("a second upgrade adds %q, %v", added, err)
	}
}

func TestUpgradeRefusesWhatItCannotKeep(t *testing.T) {
	for text, want := range map[string]string{
		"homeserver: {domain: example.org}\n":                      "lines of their own",
		"public: {}\n":                                             "lines of their own",
		"limits: &a\n  transfers: 2\n---\nhomeserver:\n":           "lines of their own",
		"homeserver:\n  adress: http://localhost\n":                `is "address" meant?`,
		"homeserver:\n\tdomain: a\n":                               "config.yaml:",
		"limits:\n  transfers: many\n":                             "limits.transfers has to be a whole number",
		"database:\n  uri: |\n    postern.db\n    # not a comment": "lines of their own",
	} {
		if upgraded, added, err := config.Upgrade("config.yaml", text); err == nil || !strings.Contains(err.Error(), want) || upgraded != "" || added != nil {
			t.Errorf("%q: %v, added %q:\n%s", text, err, added, upgraded)
		}
	}
}

func TestUpgradeKeepsACopy(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.yaml"), filepath.Join(dir, "config.yaml")
	if err := errors.Join(os.WriteFile(path, []byte(old), 0o640), os.Chmod(path, 0o640), os.Symlink("real.yaml", link)); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	added, kept, err := config.UpgradeFile(link, now)
	if err != nil || len(added) == 0 || kept != path+".bak-20261231T235959Z" {
		t.Fatalf("added %q, kept %s, %v", added, kept, err)
	}
	for _, name := range []string{path, kept} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != old {
		t.Errorf("the copy is %q, %v", text, err)
	}
	if target, err := os.Readlink(link); err != nil || target != "real.yaml" {
		t.Errorf("the link was replaced: %v", err)
	}
	if added, kept, err = config.UpgradeFile(link, now); err != nil || added != nil || kept != "" {
		t.Errorf("a second time: added %q, kept %s, %v", added, kept, err)
	}
	if err = os.WriteFile(path, []byte(old), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err = config.UpgradeFile(link, now); !errors.Is(err, os.ErrExist) {
		t.Errorf("a copy was written over: %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != old {
		t.Errorf("the file was changed without a copy: %v", err)
	}
}

func TestASetupNeedsNoUpgrade(t *testing.T) {
	files, err := setup().Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"init": files[config.ConfigFile], "example": config.Example()} {
		if _, added, err := config.Upgrade(name, text); err != nil || len(added) > 0 {
			t.Errorf("%s lacks %q, %v", name, added, err)
		}
	}
	upgraded, _, err := config.Upgrade("empty", "")
	if err != nil {
		t.Fatal(err)
	}
	checkUpgrade(t, "", upgraded)
}

func FuzzUpgrade(f *testing.F) {
	for _, seed := range []string{
		old, "", "# nothing\n", config.Example(), "homeserver: {domain: a}\n", "limits:\n", "limits:\n\n\n# x\nadmins: [a]\n",
		"  homeserver:\n     domain: a\n  limits:\n     transfers: 2\n", "logging:\r\n  level: debug\r\n", "ffmpeg: |\n  a\n\n  # b\nadmins:\n  - a\n",
		"limits: &l\n  transfers: 3\n", "---\nadmins: []\n...\n", "? homeserver\n: domain: a\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		upgraded, added, err := config.Upgrade("config.yaml", text)
		if err != nil || len(added) == 0 {
			return
		}
		checkUpgrade(t, strings.TrimSuffix(text, "\n"), upgraded)
	})
}
