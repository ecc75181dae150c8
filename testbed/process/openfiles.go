package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// OpenFiles opens the regular files that the process has open now, also those that have no name any more, to be read from
// their beginning. The caller closes them. Linux only.
func (p *Process) OpenFiles() (files []*os.File, err error) {
	dir := fmt.Sprintf("/proc/%d/fd", p.pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("failed to list open files of %s: %w", p.options.Name, err)
	}
	for _, entry := range entries {
		file, err := openRegular(filepath.Join(dir, entry.Name()))
		if err != nil {
			for _, file := range files {
				_ = file.Close()
			}
			return nil, fmt.Errorf("failed to open what %s has open: %w", p.options.Name, err)
		}
		if file != nil {
			files = append(files, file)
		}
	}
	return files, nil
}

// openRegular returns nil for what is no regular file, or not there any more.
func openRegular(name string) (*os.File, error) {
	// What is open under a number may change between two looks, so it is looked at when it is open. A socket cannot be.
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENXIO) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// OpenFiles is [Process.OpenFiles] of the program; none if it does not run.
func (s *Service) OpenFiles() ([]*os.File, error) { return ask(s, (*Process).OpenFiles) }
