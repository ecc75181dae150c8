//go:build unix

package config

import (
	"fmt"
	"os"
	"syscall"
)

// sameOwner gives a file to the owner and the group of another.
func sameOwner(file *os.File, like os.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if err := file.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
		return fmt.Errorf("failed to keep the owner, run this as root or as the file's owner: %w", err)
	}
	return nil
}
