package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"

	"postern/bridge/config"
)

func setup() config.Setup {
	return config.Setup{
		HomeserverAddress: "http://localhost:8008",
		HomeserverDomain:  "example.org",
		Listen:            "127.0.0.1:4000",
		PublicListen:      "127.0.0.1:4001",
		PublicURL:         "http://127.0.0.1:4001",
		Admins:            []string{"@admin:example.org"},
		Gatekeepers: []config.Gatekeeper{{
			ID: "whatsapp", Name: "WhatsApp", Product: "whatsapp", Integrator: 7,
			EnlistURL: "http://127.0.0.1:5000/3p/interop_reg", ChatURL: "ws://127.0.0.1:5000/ws/chat",
			MediaURL: "http://127.0.0.1:5000", RootKey: strings.Repeat("ab", 32), Audience: "sandbox", ProtocolVersion: "1.0.3",
		}},
	}
}

func TestSetupWritesFilesThatLoadAndAgree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	paths, err := setup().Write(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) != 3 {
		t.Fatalf("wrote %v", paths)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	cfg, err := config.Load(paths[0], noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Appservice.Address != "http://127.0.0.1:4000" || cfg.Admins[0] != "@admin:example.org" ||
		cfg.Gatekeepers[0].Integrator != 7 {
		t.Errorf("values did not arrive: %+v", cfg)
	}
	if err = cfg.CheckRegistration(paths[1]); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "# The registration's id.") {
		t.Error("comments are lost")
	}
}

func TestSetupNeverOverwritesUnlessForced(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, config.DoublePuppetFile)
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := setup().Write(dir, false); !errors.Is(err, config.ErrExists) {
		t.Fatalf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("a refused setup left %v", entries)
	}
	if _, err = setup().Write(dir, true); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(kept); string(content) == "mine" {
		t.Error("force did not overwrite")
	}
}

func TestSetupRefusesWhatTheConfigWouldRefuse(t *testing.T) {
	bad := setup()
	bad.HomeserverDomain = "https://example.org"
	if _, err := bad.Files(); err == nil || !strings.Contains(err.Error(), "homeserver.domain is not a server name") {
		t.Errorf("got %v", err)
	}
}

func TestRegistrationClaimsBotAndContactsOnly(t *testing.T) {
	files, err := setup().Files()
	if err != nil {
		t.Fatal(err)
	}
	var registration appservice.Registration
	if err = yaml.Unmarshal([]byte(files[config.RegistrationFile]), &registration); err != nil {
		t.Fatal(err)
	}
	matches := func(user string) bool {
		for _, namespace := range registration.Namespaces.UserIDs {
			if !namespace.Exclusive {
				t.Errorf("%s is not exclusive", namespace.Regex)
			}
			if regexp.MustCompile(namespace.Regex).MatchString(user) {
				return true
			}
		}
		return false
	}
	for user, want := range map[string]bool{
		"@postern:example.org":                true,
		"@postern_whatsapp_49151:example.org": true,
		"@alice:example.org":                  false,
		"@postern_whatsapp_1:exampleXorg":     false,
		"@xpostern:example.org":               false,
		"@postern:example.org.evil":           false,
	} {
		if matches(user) != want {
			t.Errorf("%s is claimed: %v", user, !want)
		}
	}
	if !registration.EphemeralEvents || !registration.MSC3202 || !registration.MSC4190 || registration.SenderLocalpart == "postern" {
		t.Errorf("registration is %+v", registration)
	}
}

func TestRegistrationThatDisagreesIsNamed(t *testing.T) {
	dir := t.TempDir()
	paths, err := setup().Write(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(paths[0], noEnv)
	if err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*appservice.Registration){
		"id":                 func(r *appservice.Registration) { r.ID = "other" },
		"url":                func(r *appservice.Registration) { r.URL = "http://other" },
		"as_token":           func(r *appservice.Registration) { r.AppToken = "other" },
		"hs_token":           func(r *appservice.Registration) { r.ServerToken = "other" },
		"users namespace":    func(r *appservice.Registration) { r.Namespaces.UserIDs[1].Exclusive = false },
		"receive_ephemeral":  func(r *appservice.Registration) { r.EphemeralEvents, r.SoruEphemeralEvents = false, false },
		"org.matrix.msc3202": func(r *appservice.Registration) { r.MSC3202 = false },
		"io.element.msc4190": func(r *appservice.Registration) { r.MSC4190 = false },
	} {
		registration := cfg.Registration("sender")
		change(registration)
		data, err := yaml.Marshal(registration)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "changed.yaml")
		if err = os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var disagreement *config.RegistrationError
		if err = cfg.CheckRegistration(path); !errors.As(err, &disagreement) || disagreement.Field != field {
			t.Errorf("changed %s: got %v", field, err)
		}
	}
}

func TestGatekeeperFileTakesOneOrMany(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"one":     "id: a\nname: A\n",
		"many":    "- id: a\n  name: A\n- id: b\n  name: B\n",
		"unknown": "id: a\ncolour: red\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := config.GatekeeperFile(path)
		switch {
		case name == "unknown":
			if err == nil || !strings.Contains(err.Error(), `unknown key "colour"`) {
				t.Errorf("got %v", err)
			}
		case err != nil:
			t.Error(err)
		case list[0].ID != "a" || (name == "many") != (len(list) == 2):
			t.Errorf("%s was read as %+v", name, list)
		}
	}
}

func TestProblemsOfOneKeyAreFound(t *testing.T) {
	if err := (config.Setup{HomeserverDomain: "example.org"}).Problem("homeserver.domain"); err != nil {
		t.Errorf("a good domain with nothing else: %v", err)
	}
	for want, bad := range map[string]config.Setup{
		"homeserver.domain is not a server name":    {HomeserverDomain: "https://example.org"},
		"homeserver.domain is missing":              {},
		"homeserver.address is not a URL":           {HomeserverAddress: "localhost:8008"},
		"public.url has more than host and path":    {PublicURL: "https://example.org?a"},
		"admins[0] is not a Matrix ID":              {HomeserverDomain: "example.org", Admins: []string{"me"}},
		"database.uri is not a PostgreSQL address":  {DatabaseType: config.Postgres, DatabaseURI: "postern"},
		"gatekeepers[0].enlist_url is not a URL":    {Gatekeepers: []config.Gatekeeper{{ID: "whatsapp", Name: "W", Product: "whatsapp", Integrator: 1}}},
		"gatekeepers[0].id is not a short name":     {Gatekeepers: []config.Gatekeeper{{}}},
		"database.type is unknown: write sqlite or": {DatabaseType: "mysql"},
	} {
		key, _, _ := strings.Cut(want, " ")
		key, _, _ = strings.Cut(key, "[")
		if err := bad.Problem(key); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
