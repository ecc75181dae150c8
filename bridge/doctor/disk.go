package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"postern/bridge/config"
)

// disk is a file system.
type disk struct {
	id uint64
	// free is for users other than root, in bytes.
	free uint64
	// freeFiles counts only if limitsFiles.
	limitsFiles bool
	freeFiles   uint64
	network     bool
}

// Limits of space. SQLite needs room for its log beside the database, and a full disk stops every message.
const (
	spaceFault   = 256 << 20
	spaceWarning = 1 << 30
	filesWarning = 1000
)

// place is a folder that something is written to.
type place struct{ what, folder string }

// places are where the bridge writes.
func (e *examination) places() (all []place) {
	if e.Config.Database.Type == config.SQLite {
		all = append(all, place{"the database", filepath.Dir(e.Config.Database.URI)})
	}
	if e.Config.Public.MediaStore == config.StoreDirectory {
		folder := e.Config.Public.MediaDir
		if _, err := os.Stat(folder); err != nil {
			folder = filepath.Dir(folder) // made at the first start
		}
		all = append(all, place{"hosted files", folder})
	}
	if e.Config.Logging.File != "" {
		all = append(all, place{"the log", filepath.Dir(e.Config.Logging.File)})
	}
	return all
}

// disks looks at the space where the bridge writes, once for each file system, and at how fast it is.
func (e *examination) disks(ctx context.Context) []Finding {
	var findings []Finding
	uses, found := map[uint64][]string{}, []disk{}
	for _, place := range e.places() {
		one, err := e.look.disk(place.folder)
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		} else if err != nil {
			findings = append(findings, fault("disk.space", "The folder for "+place.what+" cannot be looked at: "+causeOf(err)+".",
				"Make the folder, and give it to the bridge's user."))
			continue
		}
		if place.what == "the database" && one.network {
			findings = append(findings, warning("disk.network", "The SQLite database is on a network file system, whose locks cannot be relied on.",
				"Move it to a local disk, or take PostgreSQL: see `postern db migrate`."))
		}
		if len(uses[one.id]) == 0 {
			found = append(found, one)
		}
		uses[one.id] = append(uses[one.id], place.what)
	}
	for _, one := range found {
		findings = append(findings, spaceFinding(one, uses[one.id]))
	}
	return append(findings, e.writeSpeed(ctx)...)
}

func spaceFinding(one disk, uses []string) Finding {
	const check, remedy = "disk.space", "Free some space, or give it more: a full disk stops all messages. public.media_days and limits.media_total_mib bound hosted files."
	text := fmt.Sprintf("%s free for %s.", inBytes(int64(one.free)), strings.Join(uses, " and "))
	switch {
	case one.free < spaceFault:
		return fault(check, "Only "+text, remedy)
	case one.limitsFiles && one.freeFiles < filesWarning:
		return fault(check, fmt.Sprintf("Only %d more files fit on the file system for %s (inodes).", one.freeFiles, strings.Join(uses, " and ")), "Remove files that nobody needs.")
	case one.free < spaceWarning:
		return warning(check, "Only "+text, remedy)
	}
	return fine(check, text)
}

// Limits of a write that is on the disk when it returns. Every message takes a few. A disk has 10 ms, a solid one less than 2.
const (
	writes       = 9
	writeWarning = 50 * time.Millisecond
	writeFault   = 500 * time.Millisecond
	// writeSize is a page of SQLite.
	writeSize = 4096
)

// writeSpeed measures how long it takes until something is safely stored.
func (e *examination) writeSpeed(ctx context.Context) []Finding {
	const check = "database.write"
	var took time.Duration
	var err error
	switch {
	case e.Config.Database.Type == config.SQLite:
		if finding, readOnly := e.readOnlyFile(check); readOnly {
			return []Finding{finding}
		}
		took, err = e.look.write(ctx, filepath.Dir(e.Config.Database.URI))
		if err != nil {
			return []Finding{fault(check, "Nothing can be written to the folder of the database: "+causeOf(err)+".",
				"SQLite makes files beside the database. Give the folder to the bridge's user, with chown, and look whether the disk is full or read-only.")}
		}
	case e.store.raw == nil:
		return nil
	default:
		if took, err = e.postgresCommit(ctx); err != nil {
			return []Finding{fault(check, "PostgreSQL stores nothing: "+databaseCause(err)+".", "Is it a standby, is default_transaction_read_only set, or its disk full? Look at its log.")}
		}
	}
	text := fmt.Sprintf("It takes %s until something is safely stored.", took.Round(10*time.Microsecond))
	const remedy = "Every message waits for that a few times. Look for what keeps the disk busy, or move the database to a faster one."
	switch {
	case took >= writeFault:
		return []Finding{fault(check, text, remedy)}
	case took >= writeWarning:
		return []Finding{warning(check, text, remedy)}
	}
	return []Finding{fine(check, text)}
}

// readOnlyFile looks for a file of the SQLite database that this user may not write to, which shows only when something is to be stored.
func (e *examination) readOnlyFile(check string) (finding Finding, found bool) {
	uri := e.Config.Database.URI
	for _, path := range []string{uri, uri + "-wal", uri + "-shm"} {
		if err := mayWrite(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fault(check, "This user may not write to "+path+", so nothing can be stored.", asUserRemedy+"the file, with chown and chmod 600."), true
		}
	}
	return Finding{}, false
}

// timeWrites writes to a file of its own, which is removed, and returns the median time of a write with sync.
func timeWrites(ctx context.Context, folder string) (median time.Duration, err error) {
	file, err := os.CreateTemp(folder, ".postern-doctor-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	page := make([]byte, writeSize)
	rand.Read(page)
	times := make([]time.Duration, 0, writes)
	for begun := time.Now(); len(times) < writes && (len(times) == 0 || time.Since(begun) < askTimeout/2) && ctx.Err() == nil; {
		start := time.Now()
		if _, err = file.Write(page); err == nil {
			err = file.Sync()
		}
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	if len(times) == 0 {
		return 0, ctx.Err()
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

var errReadOnly = errors.New("the database is read-only")

// postgresCommit returns the median time of a commit that the server has to sync. What is written is a note in its log of changes, which
// nobody reads; a transaction that is rolled back, or changes nothing, syncs nothing.
func (e *examination) postgresCommit(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var readOnly bool
	if err := e.store.raw.RawDB.QueryRowContext(ctx, "SELECT current_setting('transaction_read_only')::boolean").Scan(&readOnly); err != nil {
		return 0, err
	} else if readOnly {
		return 0, errReadOnly
	}
	times := make([]time.Duration, writes)
	for i := range times {
		start := time.Now()
		if _, err := e.store.raw.RawDB.ExecContext(ctx, "SELECT pg_logical_emit_message(true, 'postern', '')"); err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

// inBytes writes a size for people.
func inBytes(size int64) string {
	switch {
	case size >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(size)/(1<<30))
	case size >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", size>>10)
}
