package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// OpenFiles returns names under which the regular files that the process has open can be read now, also those that have no
// other name any more. Linux only.
func (p *Process) OpenFiles() ([]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("failed to list open files of %s: %w", p.options.Name, err)
	}
	var names []string
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was closed meanwhile
		} else if err != nil {
			return nil, fmt.Errorf("failed to look at an open file of %s: %w", p.options.Name, err)
		}
		if info.Mode().IsRegular() {
			names = append(names, name)
		}
	}
	return names, nil
}

// OpenFiles is [Process.OpenFiles] of the program; none if it does not run.
func (s *Service) OpenFiles() ([]string, error) { return ask(s, (*Process).OpenFiles) }
