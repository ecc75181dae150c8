package doctor

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownerOf returns the id of the user who owns a file.
func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// diskOf looks at the file system that a folder is on.
func diskOf(folder string) (disk, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return disk{}, err
	}
	found := disk{
		id: uint64(uint32(stat.Fsid.Val[0]))<<32 | uint64(uint32(stat.Fsid.Val[1])), free: stat.Bavail * uint64(stat.Bsize),
		limitsFiles: stat.Files > 0, freeFiles: stat.Ffree,
	}
	switch uint32(stat.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		found.network = true
	}
	return found, nil
}

// mayWrite tells why this process may not write to a file or into a folder, without touching it.
func mayWrite(path string) error {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
}

// openFiles is how many files this process may have open.
func openFiles() (limit uint64, ok bool) {
	var rlimit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &rlimit) != nil {
		return 0, false
	}
	return rlimit.Cur, true
}
