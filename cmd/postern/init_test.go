package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/bridge/config"
)

// answered runs a command line with a pipe as its input, and returns what it printed.
func answered(t *testing.T, input io.Reader, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetIn(input)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func lines(answers ...string) io.Reader { return strings.NewReader(strings.Join(answers, "\n") + "\n") }

func TestInitOverwritesNothingByItself(t *testing.T) {
	dir, entry := t.TempDir(), sandbox(t, t.TempDir())
	kept := filepath.Join(dir, "registration.yaml")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse := func(args ...string) {
		t.Helper()
		for _, input := range []io.Reader{lines(""), lines("no"), lines("perhaps", "n"), strings.NewReader("")} {
			if _, err := answered(t, input, initArgs(dir, entry, args...)...); err == nil {
				t.Error("no error")
			}
			if data, err := os.ReadFile(kept); err != nil || string(data) != "mine" {
				t.Errorf("the file is %q, %v", data, err)
			}
			if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
				t.Errorf("a refused setup left %v", files)
			}
		}
	}
	refuse()
	refuse("--ask")
	_, err := postern(t, initArgs(dir, entry)...)
	if err == nil || !strings.Contains(err.Error(), "registration.yaml") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("error %v", err)
	}
}

func TestInitKeepsCopiesOfWhatItOverwrites(t *testing.T) {
	for name, run := range map[string]func(dir, entry string) (string, error){
		"forced": func(dir, entry string) (string, error) { return postern(t, initArgs(dir, entry, "--force")...) },
		"asked": func(dir, entry string) (string, error) {
			return answered(t, lines("yes", "", ""), initArgs(dir, entry, "--ask")...)
		},
	} {
		dir, entry := t.TempDir(), sandbox(t, t.TempDir())
		path := filepath.Join(dir, "registration.yaml")
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
		said, err := run(dir, entry)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) == "mine" {
			t.Errorf("%s: the file was left: %v", name, err)
		}
		copies, err := filepath.Glob(path + ".bak-*")
		if err != nil || len(copies) != 1 || !strings.Contains(said, copies[0]) {
			t.Fatalf("%s: copies %q, %v, said %s", name, copies, err, said)
		}
		if data, err := os.ReadFile(copies[0]); err != nil || string(data) != "mine" {
			t.Errorf("%s: the copy is %q, %v", name, data, err)
		}
	}
}

func TestInitNamesAllFlagsThatAreMissingWhereNobodyCanBeAsked(t *testing.T) {
	for missing, args := range map[string][]string{
		"--domain, --homeserver, --public-url, --gatekeeper": {},
		"--homeserver, --gatekeeper":                         {"--domain", "example.org", "--public-url", "https://a"},
	} {
		dir := t.TempDir()
		_, err := answered(t, lines("example.org"), append([]string{"init", "--dir", dir}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "missing: "+missing+".") {
			t.Errorf("%q: %v", args, err)
		}
		if files, _ := os.ReadDir(dir); len(files) != 0 {
			t.Errorf("%v was written", files)
		}
	}
}

// TestInitAsks takes every refusal of bad input before the good answer.
func TestInitAsks(t *testing.T) {
	dir, entry := t.TempDir(), sandbox(t, t.TempDir())
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("id: whatsapp\ncolour: red\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	incomplete := filepath.Join(t.TempDir(), "incomplete.yaml")
	if err := os.WriteFile(incomplete, []byte("id: whatsapp\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := answered(t, lines(
		"", "https://example.org", strings.Repeat("a", maxAnswer*3), "Example.ORG",
		"localhost:8008", "http://localhost:8008/?x", "http://127.0.0.1:1",
		"postern.example.org", "",
		"", "/nowhere.yaml", broken, incomplete, entry,
		"me", "@me:example.org, @you:example.org",
		"perhaps", "n",
		"mysql", "postgres", "postern", "postgres://postern@localhost/postern",
	), "init", "--ask", "--offline", "--dir", dir)
	if err != nil {
		t.Fatalf("%v after %s", err, said)
	}
	from := said
	for _, refusal := range []string{
		"homeserver.domain is missing", "homeserver.domain is not a server name", "at most 4096 characters",
		"homeserver.address is not a URL", "homeserver.address has more than host and path",
		"public.url is not a URL",
		"write the file's name", "no such file", `unknown key "colour"`, "gatekeepers[0].name is missing",
		"admins[0] is not a Matrix ID",
		"write yes or no",
		"database.type is unknown", "database.uri is not a PostgreSQL address",
		"wrote ",
	} {
		_, after, found := strings.Cut(from, refusal)
		if !found {
			t.Errorf("%q was not said where it belongs", refusal)
			continue
		}
		from = after
	}
	cfg, err := config.Load(filepath.Join(dir, "config.yaml"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Homeserver.Domain != "example.org" || cfg.Homeserver.Address != "http://127.0.0.1:1" || cfg.Public.URL != "https://postern.example.org" ||
		len(cfg.Admins) != 2 || cfg.Admins[1] != "@you:example.org" || cfg.DoublePuppet.ASToken != "" || cfg.Database.Type != config.Postgres ||
		cfg.Database.URI != "postgres://postern@localhost/postern" || cfg.Gatekeepers[0].ID != "whatsapp" {
		t.Errorf("the answers did not arrive: %+v", cfg)
	}
}

func TestInitAsksOnlyForWhatNoFlagSays(t *testing.T) {
	dir, entry := t.TempDir(), sandbox(t, t.TempDir())
	said, err := answered(t, lines("https://bridge.example.org", "@me:example.org"), "init", "--ask", "--offline", "--dir", dir,
		"--homeserver", "http://127.0.0.1:1", "--domain", "example.org", "--gatekeeper", entry, "--no-double-puppet", "--database-type", "sqlite")
	if err != nil {
		t.Fatalf("%v after %s", err, said)
	}
	for question, asked := range map[string]bool{
		"public URL [": true, "admins, such": true, "domain, such": false, "homeserver [": false, "gatekeeper file": false, "double puppeting": false, "database [": false,
	} {
		if strings.Contains(said, question) != asked {
			t.Errorf("%q is asked: %v, in %s", question, !asked, said)
		}
	}
}

func TestInitWritesNothingIfTheAnswersEnd(t *testing.T) {
	for _, input := range []io.Reader{strings.NewReader(""), lines("example.org"), lines("example.org", "", "", "", "", "", "")} {
		dir := filepath.Join(t.TempDir(), "new")
		_, err := answered(t, input, "init", "--ask", "--offline", "--dir", dir)
		if err == nil || !strings.Contains(err.Error(), "nothing was written") {
			t.Errorf("got %v", err)
		}
		if _, err = os.Stat(dir); err == nil {
			t.Error("something was written")
		}
	}
}

// homeserverOf answers as a homeserver of another name than the one that tests set up.
func homeserverOf(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, map[string]string{
			"/_matrix/client/versions":       `{"versions":["v1.2"]}`,
			"/_matrix/federation/v1/version": `{"server":{"name":"Synapse","version":"1.99.0"}}`,
			"/_matrix/key/v2/server":         `{"server_name":"real.example.org"}`,
		}[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestInitSaysWhatSpeaksAgainstTheHomeserver(t *testing.T) {
	entry, address := sandbox(t, t.TempDir()), homeserverOf(t)
	flags := []string{"init", "--homeserver", address, "--domain", "example.org", "--public-url", "https://a.example.org", "--gatekeeper", entry}
	for answer, domain := range map[string]string{"none": "example.org", "no": "example.org", "yes": "real.example.org"} {
		dir, args := t.TempDir(), flags
		if answer != "none" {
			args = append(args, "--ask")
		}
		said, err := answered(t, lines(answer, "", "", ""), append(args, "--dir", dir)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"is Synapse 1.99.0", "1.99.0 is too old", "is called real.example.org, and not example.org", "app_service_config_files"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q was not said: %s", want, said)
			}
		}
		if strings.Contains(said, "dendrite.yaml") {
			t.Errorf("the other homeserver's configuration was explained: %s", said)
		}
		cfg, err := config.Load(filepath.Join(dir, "config.yaml"), func(string) string { return "" })
		if err != nil || cfg.Homeserver.Domain != domain {
			t.Errorf("after %s the domain is %s, %v", answer, cfg.Homeserver.Domain, err)
		}
	}
}

func TestInitGoesOnIfTheHomeserverIsDown(t *testing.T) {
	dir, entry := t.TempDir(), sandbox(t, t.TempDir())
	said, err := postern(t, "init", "--dir", dir, "--homeserver", "http://127.0.0.1:1", "--domain", "example.org",
		"--public-url", "https://a.example.org", "--gatekeeper", entry)
	if err != nil || !strings.Contains(said, "Warning: no homeserver was found at http://127.0.0.1:1") ||
		!strings.Contains(said, "homeserver.yaml") || !strings.Contains(said, "dendrite.yaml") {
		t.Errorf("%v, said %s", err, said)
	}
}
