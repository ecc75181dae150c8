//go:build unix

package database

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile locks a file, which is made if it is not there, until release or the end of the process.
func lockFile(path string) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to lock the database: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrInUse, file.Close())
	} else if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to lock the database: %w", err), file.Close())
	}
	return file.Close, nil
}
