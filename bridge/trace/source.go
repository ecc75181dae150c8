package trace

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// maxRotated is how many rotated files are read at most, the newest.
	maxRotated = 100
	// maxSpool bounds what is taken from standard input, in bytes.
	maxSpool = 4 << 30
)

// Files returns a log file and what became of it: name.1, name.2.gz, name-20260131 and the like, the oldest first. Errors:
// fs.ErrNotExist if there is none of them.
func Files(path string) ([]Source, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("failed to look for log files: %w", err)
	}
	type file struct {
		path string
		at   time.Time
	}
	var files []file
	for _, entry := range entries {
		if !isOf(entry.Name(), filepath.Base(path)) {
			continue
		}
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, file{filepath.Join(filepath.Dir(path), entry.Name()), info.ModTime()})
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	slices.SortFunc(files, func(a, b file) int { return a.at.Compare(b.at) })
	files = files[max(0, len(files)-maxRotated):]
	sources := make([]Source, len(files))
	for i, file := range files {
		sources[i] = File(file.path)
	}
	return sources, nil
}

// isOf tells whether a file is the log or was it once, by its name.
func isOf(name, log string) bool {
	rest, ok := strings.CutPrefix(name, log)
	return ok && (rest == "" || (rest[0] == '.' || rest[0] == '-') && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9')
}

// File is one file. One whose name ends with .gz is unpacked.
func File(path string) Source {
	return Source{path, func() (io.ReadCloser, error) { return open(path) }}
}

// open opens a file, which may be packed by gzip.
func open(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return file, err
	}
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &packed{unpacked, file}, nil
}

type packed struct {
	*gzip.Reader
	file *os.File
}

// Close implements io.Closer.
func (p *packed) Close() error { return errors.Join(p.Reader.Close(), p.file.Close()) }

// Spool makes a source of what can be read only once. It is kept in a file without a name, which takes as much room on the disk as the
// input has, until end is called. It takes 4 GiB. The file is in the system's folder for temporary files or, where nothing can be written
// there, such as in a container, in the folder other.
func Spool(input io.Reader, other string) (source Source, end func() error, err error) {
	const name = "postern-trace-*"
	file, err := os.CreateTemp("", name) // mode 0600
	if err != nil {
		var otherErr error
		if file, otherErr = os.CreateTemp(other, name); otherErr != nil {
			return Source{}, nil, fmt.Errorf("failed to make a file for the log: %w", errors.Join(err, otherErr))
		}
	}
	if err = os.Remove(file.Name()); err == nil {
		var size int64
		if size, err = io.Copy(file, io.LimitReader(input, maxSpool+1)); err == nil && size > maxSpool {
			err = errTooMuch
		}
	}
	if err != nil {
		return Source{}, nil, errors.Join(fmt.Errorf("failed to take in the log: %w", err), file.Close())
	}
	return Source{"standard input", func() (io.ReadCloser, error) {
		_, err := file.Seek(0, io.SeekStart)
		return io.NopCloser(file), err
	}}, file.Close, nil
}

var errTooMuch = errors.New("it is more than 4 GiB; give a part of it, such as what journalctl --since prints")
