package process_test

import (
	"io"
	"testing"

	"postern/testbed/process"
)

func TestOpenFilesAreReadAlsoWithoutAName(t *testing.T) {
	t.Chdir(t.TempDir())
	p, log := start(t, `echo written >nameless; exec 3<nameless; rm nameless; echo open; sleep 600 | cat`)
	if err := p.WaitReady(within(t), logHas(log, "open")); err != nil {
		t.Fatal(err)
	}
	files, err := p.OpenFiles()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, file := range files {
		content, err := io.ReadAll(file)
		if err != nil {
			t.Error(err)
		}
		found = found || string(content) == "written\n"
		if err = file.Close(); err != nil {
			t.Error(err)
		}
	}
	if !found {
		t.Errorf("the file is not among %d", len(files))
	}
}

func TestAServiceThatDoesNotRunHasNoOpenFiles(t *testing.T) {
	var service process.Service
	if files, err := service.OpenFiles(); len(files) != 0 || err != nil {
		t.Errorf("got %v, %v", files, err)
	}
}
