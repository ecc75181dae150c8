package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.mau.fi/util/dbutil"
)

// maxSecretFile bounds what is read of a key file, in bytes. A key is at most 65.
const maxSecretFile = 1024

var (
	// ErrNoSecretKey: neither a value nor a file was given.
	ErrNoSecretKey = errors.New("no secret key is configured; set its value or the path of its file")
	// ErrTwoSecretKeys: both a value and a file were given.
	ErrTwoSecretKeys = errors.New("the secret key is configured both as a value and as a file; remove one")
	// ErrSecretKeyMissing: the file is not there, but the database was encrypted with a key that was.
	ErrSecretKeyMissing = errors.New("the secret key's file is missing, and the database was encrypted with the key that was in it; " +
		"put the file back from a backup, or start with an empty database and enlist again")
	// ErrSecretKeyExposed: others than the owner may read the file.
	ErrSecretKeyExposed = errors.New("the secret key's file must be a regular file that only its owner can read; change its mode to 0600 (or 0400)")
)

// SecretKeySource says where the secret key comes from. Exactly one of Value and File is set.
type SecretKeySource struct {
	// Value is the key itself, from the config or the environment, in a form that ParseSecretKey reads.
	Value string
	// File is the path of a file that holds the key in the same form.
	File string
	// Create allows to make the file with a new key if it is not there and the database holds nothing yet.
	Create bool
}

// LoadSecretKey returns the key that source names. db is asked, before a new key is made, whether it holds data of
// another one; its schema may be of any version.
//
// Errors: [ErrNoSecretKey], [ErrTwoSecretKeys], [ErrSecretKeyFormat], [ErrSecretKeyExposed], [ErrSecretKeyMissing],
// fs.ErrNotExist if the file is not there and may not be made. None holds a byte of the key.
func LoadSecretKey(ctx context.Context, db *dbutil.Database, source SecretKeySource) (SecretKey, error) {
	switch {
	case source.Value != "" && source.File != "":
		return SecretKey{}, ErrTwoSecretKeys
	case source.Value != "":
		return ParseSecretKey(source.Value)
	case source.File == "":
		return SecretKey{}, ErrNoSecretKey
	}
	key, err := readSecretFile(source.File)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if used, err := HasSecrets(ctx, db); err != nil {
		return SecretKey{}, fmt.Errorf("failed to look for encrypted data: %w", err)
	} else if used {
		return SecretKey{}, fmt.Errorf("%w: %s", ErrSecretKeyMissing, source.File)
	}
	if !source.Create {
		return SecretKey{}, fmt.Errorf("failed to read the secret key: %w", err)
	}
	err = createSecretFile(source.File, NewSecretKey())
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return SecretKey{}, fmt.Errorf("failed to make the secret key's file: %w", err)
	}
	// What counts is what is on the disk: another process may have been first.
	return readSecretFile(source.File)
}

func readSecretFile(path string) (SecretKey, error) {
	file, err := os.Open(path)
	if err != nil {
		return SecretKey{}, err
	}
	defer file.Close()
	// The open file is asked, not the path, so that it cannot be swapped in between.
	info, err := file.Stat()
	if err != nil {
		return SecretKey{}, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return SecretKey{}, fmt.Errorf("%w: %s has %v", ErrSecretKeyExposed, path, info.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecretFile))
	if err != nil {
		return SecretKey{}, fmt.Errorf("failed to read the secret key's file: %w", err)
	}
	key, err := ParseSecretKey(string(text))
	if err != nil {
		return SecretKey{}, fmt.Errorf("%w: in %s", err, path)
	}
	return key, nil
}

// createSecretFile makes the file appear whole or not at all: it is written under a name of its own, synced, and then
// linked, which fails with fs.ErrExist if another process was first. A plain O_EXCL create would leave an empty file
// behind when the power goes between create and write.
func createSecretFile(path string, key SecretKey) (err error) {
	dir := filepath.Dir(path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file.Name())) }()
	_, err = file.Write(key.hexText())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Link(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	handle, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(handle.Sync(), handle.Close())
}
