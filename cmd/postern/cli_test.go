package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"postern/bridge/config"
	"postern/gatekeeper"
)

// postern runs a command line and returns what it prints.
func postern(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetIn(strings.NewReader("")) // nobody is there to be asked
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

// sandbox writes a config of the sandbox and what it says of itself, and returns the second's path.
func sandbox(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "gatekeeper.yaml")
	if err := os.WriteFile(path, []byte(gatekeeper.ExampleConfig()), 0o600); err != nil {
		t.Fatal(err)
	}
	described, err := postern(t, "gatekeeper", "describe", "--config", path)
	if err != nil {
		t.Fatal(err)
	}
	entry := filepath.Join(dir, "entry.yaml")
	if err = os.WriteFile(entry, []byte(described), 0o600); err != nil {
		t.Fatal(err)
	}
	return entry
}

func initArgs(dir, entry string, more ...string) []string {
	return append([]string{
		"init", "--offline", "--dir", dir, "--homeserver", "http://127.0.0.1:8008", "--domain", "example.org",
		"--public-url", "https://bridge.example.org", "--gatekeeper", entry, "--admin", "@me:example.org",
	}, more...)
}

func TestSandboxDescribesItselfForTheBridge(t *testing.T) {
	dir := t.TempDir()
	first, err := os.ReadFile(sandbox(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	var entries []config.Gatekeeper
	if err = yaml.Unmarshal(first, &entries); err != nil || len(entries) == 0 {
		t.Fatalf("%v in %s", err, first)
	}
	converted, err := entries[0].Interop()
	if err != nil {
		t.Fatal(err)
	}
	if converted.RootKey == [32]byte{} || converted.Audience == "" || converted.ChatURL.Scheme != "ws" {
		t.Errorf("got %+v", converted)
	}
	if entries[0].PushIssuer != "WHATSAPP" || entries[0].PushKeysURL != "http://127.0.0.1:29410/.well-known/jwks" {
		t.Errorf("pushes of %q with keys at %q", entries[0].PushIssuer, entries[0].PushKeysURL)
	}
	again, err := postern(t, "gatekeeper", "describe", "--config", filepath.Join(dir, "gatekeeper.yaml"))
	if err != nil || again != string(first) {
		t.Errorf("a second description differs: %v\n%s", err, again)
	}
}

func TestInitWritesASetupThatIsFine(t *testing.T) {
	dir := t.TempDir()
	said, err := postern(t, initArgs(dir, sandbox(t, t.TempDir()))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config.yaml", "registration.yaml", "doublepuppet.yaml"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
		if !strings.Contains(said, path) {
			t.Errorf("%s is not named in %s", path, said)
		}
	}
	if !strings.Contains(said, "app_service") {
		t.Errorf("nothing is said about the homeserver's config: %s", said)
	}
	checked, err := postern(t, "config", "check", "--config", filepath.Join(dir, "config.yaml"))
	if err != nil || !strings.Contains(checked, "is fine") {
		t.Errorf("%s %v", checked, err)
	}
	cfg, err := config.Load(filepath.Join(dir, "config.yaml"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if err = cfg.CheckRegistration(filepath.Join(dir, "registration.yaml")); err != nil {
		t.Error(err)
	}
	for _, secret := range []string{cfg.Appservice.ASToken, cfg.Appservice.HSToken, cfg.DoublePuppet.ASToken} {
		if secret == "" || strings.Contains(said, secret) {
			t.Errorf("the secret %q is missing or was printed", secret)
		}
	}
}

func TestConfigPrintsTheExample(t *testing.T) {
	got, err := postern(t, "config")
	if err != nil || got != config.Example() {
		t.Errorf("printed %d bytes, %v", len(got), err)
	}
	got, err = postern(t, "gatekeeper", "config")
	if err != nil || got != gatekeeper.ExampleConfig() {
		t.Errorf("printed %d bytes, %v", len(got), err)
	}
}

func TestConfigIsUpgradedByCommand(t *testing.T) {
	path, _ := installed(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := postern(t, "config", "upgrade", "--config", path); err != nil || !strings.Contains(said, "has every key already") {
		t.Errorf("a new config: %s, %v", said, err)
	}
	old := strings.Replace(string(content), "audit_days: 365\n", "", 1)
	if err = os.WriteFile(path, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := postern(t, "config", "upgrade", "--config", path)
	if err != nil || !strings.Contains(said, "added audit_days\n") || !strings.Contains(said, path+".bak-") {
		t.Errorf("an old config: %s, %v", said, err)
	}
	if said, err = postern(t, "config", "check", "--config", path); err != nil {
		t.Errorf("%s, %v", said, err)
	}
	if _, err = postern(t, "config", "upgrade", "--config", path+".none"); err == nil || !strings.Contains(err.Error(), "postern init") {
		t.Errorf("a missing config: %v", err)
	}
}

func TestConfigErrorsNameTheLineAndWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("homeserver:\n  adress: http://127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check", "--config", path}, {"run", "--config", path}, {"--config", path}} {
		_, err := postern(t, args...)
		if err == nil || !strings.Contains(err.Error(), path+":2") || !strings.Contains(err.Error(), "adress") {
			t.Errorf("%v: %v", args, err)
		}
	}
	_, err := postern(t, "run", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	if err == nil || !strings.Contains(err.Error(), "postern init") {
		t.Errorf("a missing config: %v", err)
	}
}

func TestVersionIsPrinted(t *testing.T) {
	got, err := postern(t, "version")
	if err != nil || !strings.HasPrefix(strings.ToLower(got), "postern") {
		t.Errorf("%q %v", got, err)
	}
}

func TestSandboxIsDescribedByTheAddressThatOthersReach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatekeeper.yaml")
	if err := os.WriteFile(path, []byte("listen: 0.0.0.0:29410\naddress: sandbox:29410\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	described, err := postern(t, "gatekeeper", "describe", "--config", path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(described, "ws://sandbox:29410/ws/chat") || strings.Contains(described, "0.0.0.0") {
		t.Errorf("described as:\n%s", described)
	}
}
