package database

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// copyInfix is between a database's name and the time of a copy that was made before an upgrade.
	copyInfix = ".before-upgrade-"
	// copyTime sorts as the times do.
	copyTime = "20060102-150405.000"
	// keptCopies is how many of them are kept, the newest.
	keptCopies = 3
	// spareRoom is what has to be free beside a copy, in bytes.
	spareRoom = 64 << 20
)

// ErrNoRoom: there is no room for a copy.
var ErrNoRoom = errors.New("there is no room on the disk for a copy of the database before its upgrade; make room and start again")

func copyPath(uri string, now time.Time) string {
	return sqlitePath(uri) + copyInfix + now.UTC().Format(copyTime)
}

// CopiesBefore returns the copies of an SQLite database that were made before upgrades, the oldest first.
func CopiesBefore(uri string) ([]string, error) {
	dir, base := filepath.Split(sqlitePath(uri))
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil, fmt.Errorf("failed to look for copies of the database: %w", err)
	}
	var copies []string
	for _, entry := range entries {
		at, ok := strings.CutPrefix(entry.Name(), base+copyInfix)
		if !ok {
			continue
		}
		if _, err := time.Parse(copyTime, at); err == nil && entry.Type().IsRegular() {
			copies = append(copies, dir+entry.Name())
		}
	}
	slices.Sort(copies)
	return copies, nil
}

// pruneCopies removes all but the newest copies.
func pruneCopies(uri string) error {
	copies, err := CopiesBefore(uri)
	if err != nil {
		return err
	}
	for _, old := range copies[:max(0, len(copies)-keptCopies)] {
		err = errors.Join(err, removeDatabase(old))
	}
	return err
}

// checkRoom fails if a copy of an SQLite file, with what is not in it yet, does not fit beside it. Where it cannot be known it does
// not fail.
func checkRoom(path string) error {
	free, ok := freeSpace(filepath.Dir(path))
	if !ok {
		return nil
	}
	var size uint64
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(path + suffix)
		if err == nil {
			size += uint64(info.Size())
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("failed to look how large the database is: %w", err)
		}
	}
	if free < size+spareRoom {
		return fmt.Errorf("%w (it needs %d MiB, %d MiB are free)", ErrNoRoom, (size+spareRoom)>>20, free>>20)
	}
	return nil
}
