package database

import "syscall"

// freeSpace returns how many bytes are free for us in a folder's file system; ok is false if nobody knows.
func freeSpace(dir string) (free uint64, ok bool) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, false
	}
	return stat.Bavail * uint64(stat.Bsize), true
}
