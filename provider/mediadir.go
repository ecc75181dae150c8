package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	// partSuffix marks files that are not committed. No reference contains a dot.
	partSuffix = ".part"
	// dirBatch is how many directory entries are in memory at a time.
	dirBatch = 256
)

// DirStore is a [MediaStore] in a directory, which belongs to it alone. A file's name is its reference, and the time of
// its last change is its age. There are no folders below: file systems of today hold millions of files in one.
type DirStore struct{ dir string }

var _ MediaStore = (*DirStore)(nil)

// NewDirStore makes the directory, with mode 0700, if it is not there. It removes what an earlier process began and did
// not finish; another process that uses the same directory would lose that, and have to begin again.
func NewDirStore(dir string) (*DirStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the folder for hosted files: %w", err)
	}
	// A folder that cannot be written to is found out now, and not with the first file.
	probe, err := os.CreateTemp(dir, "*"+partSuffix)
	if err != nil {
		return nil, fmt.Errorf("failed to write to the folder for hosted files: %w", err)
	}
	if err = probe.Close(); err != nil {
		return nil, fmt.Errorf("failed to write to the folder for hosted files: %w", err)
	}
	s := &DirStore{dir}
	err = s.each(context.Background(), func(entry fs.DirEntry) error {
		if !strings.HasSuffix(entry.Name(), partSuffix) {
			return nil
		}
		return nameless(os.Remove(filepath.Join(dir, entry.Name())))
	})
	if err != nil {
		return nil, fmt.Errorf("failed to clean up the folder for hosted files: %w", err)
	}
	return s, nil
}

func (s *DirStore) path(reference MediaReference) string {
	return filepath.Join(s.dir, reference.String())
}

// Create implements [MediaStore]. The file has mode 0600.
func (s *DirStore) Create(ctx context.Context, reference MediaReference) (MediaWriter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := s.path(reference)
	file, err := os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nameless(err)
	}
	return &dirWriter{file: file, path: path}, nil
}

// Open implements [MediaStore].
func (s *DirStore) Open(_ context.Context, reference MediaReference) (io.ReadSeekCloser, error) {
	file, err := os.Open(s.path(reference))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoMedia
	} else if err != nil {
		return nil, nameless(err)
	}
	return file, nil
}

// Each implements [MediaStore]. It leaves alone what is not named like a file of the store. What cannot be looked at does
// not keep it from the rest; the first error is returned.
func (s *DirStore) Each(ctx context.Context, do func(MediaFile) error) error {
	var trouble error
	err := s.each(ctx, func(entry fs.DirEntry) error {
		reference, err := ParseMediaReference(entry.Name())
		if err != nil {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		} else if err != nil {
			trouble = cmp.Or(trouble, nameless(err))
			return nil
		}
		return do(MediaFile{Reference: reference, Size: info.Size(), Committed: info.ModTime()})
	})
	return cmp.Or(err, trouble)
}

// Remove implements [MediaStore].
func (s *DirStore) Remove(_ context.Context, reference MediaReference) error {
	if err := os.Remove(s.path(reference)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nameless(err)
	}
	return nil
}

// each calls do for every entry until ctx ends or do fails. Its errors are without names, apart from those of do.
func (s *DirStore) each(ctx context.Context, do func(fs.DirEntry) error) error {
	dir, err := os.Open(s.dir)
	if err != nil {
		return nameless(err)
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(dirBatch)
		for _, entry := range entries {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := do(entry); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return nameless(err)
		}
	}
}

// dirWriter is a file that becomes visible by a change of its name.
type dirWriter struct {
	file      *os.File
	path      string
	committed bool
}

func (w *dirWriter) Write(data []byte) (int, error) {
	n, err := w.file.Write(data)
	return n, nameless(err)
}

// Commit writes the content to the disk before the name, and the name before it returns.
func (w *dirWriter) Commit() error {
	if err := w.file.Sync(); err != nil {
		return nameless(err)
	}
	if err := w.file.Close(); err != nil {
		return nameless(err)
	}
	if err := os.Rename(w.path+partSuffix, w.path); err != nil {
		return nameless(err)
	}
	if err := syncDir(filepath.Dir(w.path)); err != nil {
		return nameless(err)
	}
	w.committed = true
	return nil
}

// Abort can report nothing: what it cannot remove, the next start does.
func (w *dirWriter) Abort() {
	if w.committed {
		return
	}
	_ = w.file.Close()
	_ = os.Remove(w.path + partSuffix)
	_ = os.Remove(w.path) // there if Commit failed after the change of name
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// nameless takes file names, which are references, out of an error.
func nameless(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	default:
		return err
	}
}
