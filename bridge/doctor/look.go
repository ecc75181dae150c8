package doctor

import (
	"context"
	"io/fs"
	"time"
)

// look is how the machine is looked at. Tests have disks that are full and slow.
type look struct {
	disk  func(folder string) (disk, error)
	write func(ctx context.Context, folder string) (time.Duration, error)
	owner func(fs.FileInfo) (uid int, ok bool)
	// files is how many files may be open.
	files func() (limit uint64, ok bool)
}

var machine = look{disk: diskOf, write: timeWrites, owner: ownerOf, files: openFiles}
