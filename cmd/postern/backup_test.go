package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBackupAndRestoreByCommand(t *testing.T) {
	path, _ := installed(t) // its database stays open, as that of a running bridge
	backup := filepath.Join(t.TempDir(), "backup")
	said, err := postern(t, "backup", "--config", path, "--output", backup)
	if err != nil || !strings.Contains(said, "wrote "+backup) {
		t.Fatalf("said %s, %v", said, err)
	}
	if _, err = postern(t, "backup", "--config", path, "--output", backup); err == nil {
		t.Error("a backup was written over")
	}
	for _, args := range [][]string{{}, {"--in-place", backup}} {
		if _, err = postern(t, append([]string{"restore", "--config", path}, args...)...); err == nil || !strings.Contains(err.Error(), "--in-place") {
			t.Errorf("%q: %v", args, err)
		}
	}
	if _, err = postern(t, "restore", "--config", path, backup); err == nil || !strings.Contains(err.Error(), "move it away first") {
		t.Errorf("over a database: %v", err)
	}
	// Another machine, with the config and the key.
	other := t.TempDir()
	for _, name := range []string{"config.yaml", "postern.key"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if err != nil {
			t.Fatal(err)
		}
		if err = os.WriteFile(filepath.Join(other, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	moved := filepath.Join(other, "config.yaml")
	if said, err = postern(t, "restore", "--config", moved, backup); err != nil || !strings.Contains(said, "the database is in place") {
		t.Fatalf("said %s, %v", said, err)
	}
	if said, err = postern(t, "keys", "list", "--config", moved); err != nil || !strings.Contains(said, "active") {
		t.Errorf("the signing key is lost: %s, %v", said, err)
	}
}

func TestHealthNeedsAListenerAndABridge(t *testing.T) {
	path, _ := installed(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for listen, want := range map[string]string{"127.0.0.1:1": "does not answer", `""`: "admin.listen is empty"} {
		changed := strings.Replace(string(content), "listen: 127.0.0.1:29350", "listen: "+listen, 1)
		if err = os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err = postern(t, "health", "--config", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
