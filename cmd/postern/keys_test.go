package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/config"
	"postern/database"
	"postern/provider"
)

// installed writes a setup with a database that the partner server ran on, as a start of the daemon leaves it. It returns
// the config's path and the store of the keys, which stays open as with a running daemon.
func installed(t *testing.T) (path string, keys provider.KeyStore) {
	t.Helper()
	dir, ctx := t.TempDir(), context.Background()
	if _, err := postern(t, initArgs(dir, sandbox(t, t.TempDir()))...); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "config.yaml")
	for _, command := range []string{"list", "make", "rotate"} {
		if _, err := postern(t, "keys", command, "--config", path); err == nil || !strings.Contains(err.Error(), "first start") {
			t.Errorf("%s before the first start: %v", command, err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(dir, "postern.*")); err != nil || len(files) != 0 {
		t.Errorf("the commands made %q, %v", files, err)
	}
	cfg, err := config.Load(path, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := database.Open(ctx, "sqlite", cfg.Database.URI, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	secret, err := database.LoadSecretKey(ctx, raw, database.SecretKeySource{File: cfg.SecretKeyFile, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	db := database.New(raw, secret, zerolog.Nop())
	if err = db.UpgradeAll(ctx, database.Upgrading{Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	_, err = provider.New(ctx, provider.Options{
		Issuer: "https://bridge.example.org", Domain: "example.org", Keys: db.ProviderKeys(), Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, db.ProviderKeys()
}

func TestKeysAreListedMadeAndRotatedBesideTheDaemon(t *testing.T) {
	path, keys := installed(t)
	first, err := keys.SigningKeys(context.Background())
	if err != nil || len(first) != 1 {
		t.Fatalf("%d keys, %v", len(first), err)
	}
	says := func(want []string, args ...string) {
		t.Helper()
		said, err := postern(t, append(append([]string{"keys"}, args...), "--config", path)...)
		if err != nil {
			said += err.Error()
		}
		for _, part := range want {
			if !strings.Contains(said, part) {
				t.Errorf("%v does not say %q: %s", args, part, said)
			}
		}
		if strings.Contains(said, string(first[0].PKCS8)) || strings.Contains(said, "PRIVATE") {
			t.Errorf("%v prints a private key", args)
		}
	}
	says([]string{"active", first[0].ID, "signs"}, "list")
	says([]string{"there is no next signing key", "postern keys make"}, "rotate")
	says([]string{"made key ", "postern keys rotate"}, "make")
	says([]string{"there is a next signing key already", "postern keys rotate"}, "make")
	says([]string{"next ", "may sign from ", "active ", "signs"}, "list")
	says([]string{"too young", "in 21m0s", "--wait"}, "rotate")
}

func TestRotateWaitsIfAsked(t *testing.T) {
	_, keys := installed(t)
	ctx := context.Background()
	// The next key was made as long ago as it takes, but for a moment.
	long := func() time.Time { return time.Now().Add(-provider.KeyLead + 300*time.Millisecond) }
	next, err := provider.MakeNextKey(ctx, keys, long)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if err = rotateKeys(ctx, &said, keys, true, time.Now); err != nil {
		t.Fatal(err)
	}
	if text := said.String(); !strings.Contains(text, "waiting until") || !strings.Contains(text, "key "+next.ID+" signs from now on") {
		t.Errorf("said %s", text)
	}
	said.Reset()
	if err = listKeys(ctx, &said, keys); err != nil {
		t.Fatal(err)
	}
	if text := said.String(); !strings.Contains(text, "retired") || !strings.Contains(text, "is published until") {
		t.Errorf("listed %s", text)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = provider.MakeNextKey(ctx, keys, time.Now); err != nil {
		t.Fatal(err)
	}
	if err = rotateKeys(ended, &said, keys, true, time.Now); err == nil {
		t.Error("goes on waiting when it is interrupted")
	}
}
