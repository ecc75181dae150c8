package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// replaceFile writes a file in one step, so that nobody ever reads half of it or one with a wider mode. It gets mode and owner of like, or
// if that is nil, mode 0600 and the caller as its owner.
func replaceFile(path, content string, like os.FileInfo) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".postern-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if err = fillFile(file, content, like); err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}

// KeepCopy copies a file that is about to be replaced to a name with the time, such as config.yaml.bak-20261231T235959Z, and returns that
// name. Mode and owner stay; the copy is on the disk when it returns.
func KeepCopy(path string, now time.Time) (kept string, err error) {
	content, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("failed to keep a copy: %w", err)
	}
	like, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	kept = path + ".bak-" + now.UTC().Format("20060102T150405Z")
	file, err := os.OpenFile(kept, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("failed to keep a copy of %s: %w", path, err)
	}
	if err = fillFile(file, string(content), like); err != nil {
		return "", fmt.Errorf("failed to keep a copy of %s: %w", path, errors.Join(err, os.Remove(kept)))
	}
	return kept, nil
}

// fillFile writes a new file to the disk and closes it. The owner is set before the mode, which is 0600 until then.
func fillFile(file *os.File, content string, like os.FileInfo) error {
	_, err := file.WriteString(content)
	if err == nil && like != nil {
		if err = sameOwner(file, like); err == nil {
			err = file.Chmod(like.Mode().Perm())
		}
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
