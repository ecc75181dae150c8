package programs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/testbed/programs"
)

func TestABridgeThatIsNamedIsTestedInsteadOfABuiltOne(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "postern")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(binary))
	t.Setenv(programs.BinaryVariable, "./postern")
	if path, err := new(programs.Builder).Postern(t.Context()); err != nil || path != binary {
		t.Errorf("got %q, %v, want %q", path, err, binary)
	}
}

func TestABridgeThatIsNamedAndMissingIsAnError(t *testing.T) {
	t.Setenv(programs.BinaryVariable, filepath.Join(t.TempDir(), "postern"))
	_, err := new(programs.Builder).Postern(t.Context())
	if err == nil || !strings.Contains(err.Error(), programs.BinaryVariable) {
		t.Errorf("got %v", err)
	}
}
