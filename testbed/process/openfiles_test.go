package process_test

import (
	"os"
	"testing"

	"postern/testbed/process"
)

func TestOpenFilesAreReadAlsoWithoutAName(t *testing.T) {
	t.Chdir(t.TempDir())
	p, log := start(t, `echo written >nameless; exec 3<nameless; rm nameless; echo open; sleep 600`)
	if err := p.WaitReady(within(t), logHas(log, "open")); err != nil {
		t.Fatal(err)
	}
	names, err := p.OpenFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if content, _ := os.ReadFile(name); string(content) == "written\n" {
			return
		}
	}
	t.Errorf("the file is not among %v", names)
}

func TestAServiceThatDoesNotRunHasNoOpenFiles(t *testing.T) {
	var service process.Service
	if names, err := service.OpenFiles(); len(names) != 0 || err != nil {
		t.Errorf("got %v, %v", names, err)
	}
}
