package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDataOfNobodyIsNeitherExportedNorErased(t *testing.T) {
	path, _ := installed(t)
	output := filepath.Join(t.TempDir(), "export.json")
	for _, args := range [][]string{
		{"erase", "@nobody:example.org"}, {"erase", "nobody"}, {"export", "-o", output, "nobody"}, {"export"}, {"erase"},
		{"erase", "--pending", "nobody"}, {"erase", "--pending", "@a:example.org", "@b:example.org"},
	} {
		if said, err := postern(t, append(args, "--config", path)...); err == nil {
			t.Errorf("%q is no error: %s", args, said)
		}
	}
	if _, err := postern(t, "erase", "@nobody:example.org", "--config", path); err == nil || !strings.Contains(err.Error(), "not enlisted") {
		t.Errorf("error %v", err)
	}
	if files, _ := filepath.Glob(output); len(files) > 0 {
		t.Error("a file was made")
	}
}

func TestNothingIsPendingWhereNobodyLeaves(t *testing.T) {
	path, _ := installed(t)
	for _, args := range [][]string{{"erase", "--pending"}, {"erase", "--pending", "@alice:example.org"}} {
		if said, err := postern(t, append(args, "--config", path)...); err != nil || said != "Nothing is left to be erased.\n" {
			t.Errorf("%q: %q, %v", args, said, err)
		}
	}
}

func TestExportDoesNotOverwrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "export.json")
	if err := writePrivate(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := writePrivate(path, []byte("second")); err == nil {
		t.Error("the file was written over")
	}
}
