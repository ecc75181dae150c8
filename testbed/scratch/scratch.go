// Package scratch makes the folders that runs of a test stack live in.
package scratch

import (
	"fmt"
	"os"
)

const (
	// Variable names the environment variable that chooses where the folders are made.
	Variable = "POSTERN_SCRATCH"
	// ramDisk is where Linux keeps one. Homeservers sync their databases to the disk all the time, so tests are up to
	// four times faster there.
	ramDisk = "/dev/shm"
	// enoughSpace is what has to be free on the RAM disk, in bytes. All stacks of a test run together need a third of it.
	enoughSpace = 2 << 30
)

// New makes a new folder, on a RAM disk if there is a large one, and returns its path. The caller removes it.
func New(name string) (string, error) {
	dir, err := os.MkdirTemp(parent(), "postern-"+name+"-")
	if err != nil {
		return "", fmt.Errorf("failed to make a folder for %s: %w", name, err)
	}
	return dir, nil
}

// parent returns where folders are made; "" is the system's place for temporary files.
func parent() string {
	if chosen := os.Getenv(Variable); chosen != "" {
		return chosen
	}
	if free, err := freeBytes(ramDisk); err == nil && free >= enoughSpace {
		return ramDisk
	}
	return ""
}
