package gatekeeper

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// partSuffix marks a file that is still coming in.
const partSuffix = ".part"

// errMediaHash is returned for a file that is not the one that was announced.
var errMediaHash = errors.New("the file does not have the hash that it was announced with")

// mediaStore keeps uploaded files, encrypted as they come, in a folder: one file each, named by its reference. A file's
// modification time is when it came, by the gatekeeper's clock. Safe for concurrent use.
type mediaStore struct {
	root *os.Root
	now  func() time.Time
}

// openMediaStore makes the folder if it is missing, and removes what came in only half before the gatekeeper ended.
func openMediaStore(dir string, now func() time.Time) (*mediaStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the folder for media: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("failed to open the folder for media: %w", err)
	}
	m := &mediaStore{root: root, now: now}
	if _, err = m.remove(func(file fs.FileInfo) bool { return !isWhole(file) }); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return m, nil
}

func (m *mediaStore) close() error { return m.root.Close() }

// put stores what comes out of content under a new reference, once all of it is there and has the hash.
func (m *mediaStore) put(content io.Reader, hash [sha256.Size]byte) (reference string, size int64, err error) {
	reference = rand.Text()
	part := reference + partSuffix
	file, err := m.root.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("failed to make a file for media: %w", err)
	}
	hasher := sha256.New()
	size, err = io.Copy(io.MultiWriter(file, hasher), content)
	if err = errors.Join(err, file.Close()); err == nil && [sha256.Size]byte(hasher.Sum(nil)) != hash {
		err = errMediaHash
	}
	if err == nil {
		now := m.now()
		err = m.root.Chtimes(part, now, now)
	}
	if err == nil {
		err = m.root.Rename(part, reference)
	}
	if err != nil {
		return "", size, errors.Join(fmt.Errorf("failed to store media: %w", err), m.root.Remove(part))
	}
	return reference, size, nil
}

// open returns a file and its size. The caller closes it. The error wraps [fs.ErrNotExist] if there is none.
func (m *mediaStore) open(reference string) (*os.File, int64, error) {
	file, err := m.root.Open(reference)
	if err != nil {
		return nil, 0, fmt.Errorf("failed to open media: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("failed to open media: %w", err), file.Close())
	}
	return file, info.Size(), nil
}

// dropBefore removes files that came before the time.
func (m *mediaStore) dropBefore(limit time.Time) error {
	_, err := m.remove(func(file fs.FileInfo) bool { return isWhole(file) && file.ModTime().Before(limit) })
	return err
}

// dropAll removes all files but those that are coming in, and returns how many it were.
func (m *mediaStore) dropAll() (int, error) { return m.remove(isWhole) }

func isWhole(file fs.FileInfo) bool { return !strings.HasSuffix(file.Name(), partSuffix) }

// remove removes the files that are chosen and returns how many. One that is gone meanwhile is no error.
func (m *mediaStore) remove(chosen func(fs.FileInfo) bool) (removed int, err error) {
	entries, err := fs.ReadDir(m.root.FS(), ".")
	if err != nil {
		return 0, fmt.Errorf("failed to list media: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && chosen(info) {
			err = m.root.Remove(entry.Name())
			removed++
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("failed to remove media: %w", err)
		}
	}
	return removed, nil
}
