package gatekeeper_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/gatekeeper"
)

func TestMailOutlivesARestart(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number
	if err := p.bob.Close(0); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p.alice.write(letterTo(fmt.Sprint("A", i), bob, bob))
		p.alice.await("ack")
	}
	p.stop()
	if end := p.alice.await("stream:error"); end.Attrs["code"] != "503" {
		t.Errorf("at the stop Alice got %v", end)
	}
	p.launch()
	again := p.loginPhone(p.bob)
	again.activate()
	for i := range 5 {
		if got := again.await("message"); got.Attrs["id"] != fmt.Sprint("A", i) {
			t.Errorf("got %v instead of A%d", got.Attrs["id"], i)
		}
	}
	// A client that missed the ack sends again after the restart.
	alice := p.login(p.keys, p.aliceJID)
	for _, id := range []string{"A4", "A5"} {
		alice.write(letterTo(id, bob, bob))
		if ack := alice.await("ack"); ack.Attrs["error"] != nil {
			t.Errorf("ack %v", ack.Attrs)
		}
	}
	if got := again.await("message"); got.Attrs["id"] != "A5" {
		t.Errorf("got %v, which came before the restart", got.Attrs["id"])
	}
}

func TestAServerStartsAndStopsOnce(t *testing.T) {
	s := start(t)
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	s.stop()
	s.stop()
	never, err := gatekeeper.New(s.config, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err = never.Stop(t.Context()); err != nil {
		t.Errorf("stop without a start: %v", err)
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	s := start(t)
	config := *s.config
	config.Database = filepath.Join(t.TempDir(), "other.db")
	second, err := gatekeeper.New(&config, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err = second.Start(t.Context()); err == nil {
		t.Error("two servers on one address")
	}
}

func TestRootKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	first, err := gatekeeper.LoadRootKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := gatekeeper.LoadRootKey(path); err != nil || second != first {
		t.Errorf("another key, or %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("files left: %v, %v", files, err)
	}
	for _, content := range []string{"", "00ff", strings.Repeat("zz", 32)} {
		if err = os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err = gatekeeper.LoadRootKey(path); err == nil {
			t.Errorf("%q was taken for a key", content)
		}
	}
	if _, err = gatekeeper.LoadRootKey(filepath.Join(path, "below-a-file")); err == nil {
		t.Error("no error for a folder that cannot be")
	}
}

func writeConfig(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatekeeper.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheExampleConfigIsValidAndIsTheDefault(t *testing.T) {
	path := writeConfig(t, gatekeeper.ExampleConfig())
	config, err := gatekeeper.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if config.MinimumVersion != (gatekeeper.Version{1, 0, 0}) || config.Database != filepath.Join(filepath.Dir(path), "gatekeeper.db") || len(config.Partners) != 1 {
		t.Errorf("got %+v", config)
	}
	short, err := gatekeeper.LoadConfig(writeConfig(t, "listen: 127.0.0.1:1\n"))
	if err != nil || short.Listen != "127.0.0.1:1" || short.Control != config.Control {
		t.Errorf("got %+v, %v", short, err)
	}
}

func TestConfigsAreRefused(t *testing.T) {
	for name, content := range map[string]string{
		"an unknown key":         "listne: 127.0.0.1:1\n",
		"control for everybody":  "control: 0.0.0.0:1\nexpose_phone: true\n",
		"phones for everybody":   "phone: 0.0.0.0:1\n",
		"no port":                "listen: localhost\n",
		"no database":            "database: \"\"\n",
		"an unknown product":     "product: telegram\n",
		"a version of two parts": "minimum_version: 1.0\n",
		"a partner without url":  "partners: [{integrator: 1, issuer: x, audience: y}]\n",
		"integrator 0":           "partners: [{integrator: 0, issuer: 'http://x', audience: y}]\n",
		"an integrator twice":    "partners: [{integrator: 1, issuer: 'http://x', audience: y}, {integrator: 1, issuer: 'http://x', audience: y}]\n",
		"no audience":            "partners: [{integrator: 1, issuer: 'http://x'}]\n",
		"no YAML":                "{",
	} {
		if _, err := gatekeeper.LoadConfig(writeConfig(t, content)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := gatekeeper.LoadConfig(writeConfig(t, "phone: 0.0.0.0:1\nexpose_phone: true\n")); err != nil {
		t.Errorf("a container's phone page was refused: %v", err)
	}
	if _, err := gatekeeper.LoadConfig(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestVersionsAreOrdered(t *testing.T) {
	for _, pair := range [][2]string{{"0.9.9", "1.0.0"}, {"1.0.9", "1.1.0"}, {"1.0.3", "1.0.10"}} {
		older, errA := gatekeeper.ParseVersion(pair[0])
		newer, errB := gatekeeper.ParseVersion(pair[1])
		if errA != nil || errB != nil || !older.Less(newer) || newer.Less(older) || older.Less(older) {
			t.Errorf("%v: %v, %v", pair, errA, errB)
		}
	}
}

func TestPlainTextAndPrivateKeysNeverReachTheDisk(t *testing.T) {
	// The gatekeeper has no plain text of messages; what it could leak are its own private keys.
	p := startPair(t)
	p.stop()
	private, err := os.ReadFile(p.config.RootKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	root, err := gatekeeper.LoadRootKey(p.config.RootKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(p.config.Database + "*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no database: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), strings.TrimSpace(string(private))) || strings.Contains(string(content), string(root.Priv[:])) {
			t.Errorf("%s holds the root's private key", filepath.Base(file))
		}
	}
}
