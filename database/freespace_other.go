//go:build !linux

package database

// freeSpace knows nothing elsewhere.
func freeSpace(string) (free uint64, ok bool) { return 0, false }
