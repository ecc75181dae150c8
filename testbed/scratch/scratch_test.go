package scratch_test

import (
	"os"
	"path/filepath"
	"testing"

	"postern/testbed/scratch"
)

func TestNewMakesAnEmptyFolderOfItsOwn(t *testing.T) {
	t.Setenv(scratch.Variable, t.TempDir())
	first, err := scratch.New("run")
	if err != nil {
		t.Fatal(err)
	}
	second, err := scratch.New("run")
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("two runs share a folder")
	}
	if entries, err := os.ReadDir(first); err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if filepath.Dir(first) != os.Getenv(scratch.Variable) {
		t.Errorf("%s is not where the environment says", first)
	}
}

func TestNewFailsWhereNothingCanBeMade(t *testing.T) {
	t.Setenv(scratch.Variable, filepath.Join(t.TempDir(), "missing"))
	if _, err := scratch.New("run"); err == nil {
		t.Error("no error")
	}
}
