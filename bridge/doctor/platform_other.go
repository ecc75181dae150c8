//go:build !linux

package doctor

import (
	"errors"
	"io/fs"
)

// What is not known of this system is left out of the findings.

func ownerOf(fs.FileInfo) (uid int, ok bool) { return 0, false }

func diskOf(string) (disk, error) { return disk{}, errors.ErrUnsupported }

func openFiles() (limit uint64, ok bool) { return 0, false }

func mayWrite(string) error { return nil }
