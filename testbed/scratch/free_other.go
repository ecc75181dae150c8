//go:build !linux

package scratch

import "errors"

// freeBytes is only needed where there is a RAM disk to ask about.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
