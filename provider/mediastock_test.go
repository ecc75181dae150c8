package provider_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"postern/provider"
)

// Of these tests a file has at most 100 bytes, an owner 250 and all together 400.
const (
	quotaFile  = 100
	quotaOwner = 250
	quotaAll   = 400
)

func hostWithQuota(t testing.TB, store provider.MediaStore) *provider.Provider {
	t.Helper()
	o := options(t, sharedKeys())
	o.Media, o.MaxMedia, o.MediaPerOwner, o.MediaInAll, o.Now = store, quotaFile, quotaOwner, quotaAll, nil
	p, err := provider.New(context.Background(), o)
	check(t, err)
	return p
}

func dirStore(t testing.TB, dir string) *provider.DirStore {
	t.Helper()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	return store
}

func putSize(p *provider.Provider, owner string, size int) (reference string, err error) {
	return p.PutMedia(context.Background(), owner, func(w io.Writer) error {
		_, err := w.Write(make([]byte, size))
		return err
	})
}

// fill wants each put to end as told.
func fill(t *testing.T, p *provider.Provider, puts ...any) {
	t.Helper()
	for i := 0; i < len(puts); i += 3 {
		owner, size := puts[i].(string), puts[i+1].(int)
		want, _ := puts[i+2].(error)
		if _, err := putSize(p, owner, size); !errors.Is(err, want) {
			t.Fatalf("put %d: %d bytes of %s: %v, want %v", i/3, size, owner, err, want)
		}
	}
}

func TestFilesOfOneOwnerAndOfAllAreLimited(t *testing.T) {
	dir := t.TempDir()
	p := hostWithQuota(t, dirStore(t, dir))
	fill(t, p,
		"alice", 100, nil, "alice", 100, nil, "alice", 51, provider.ErrQuota, "alice", 50, nil, "alice", 1, provider.ErrQuota,
		"alice", 0, nil, // takes no room
		"bob", 100, nil, "bob", 51, provider.ErrMediaFull, "bob", 50, nil, "carol", 1, provider.ErrMediaFull,
		"alice", 1, provider.ErrQuota, // says what alice can do something about
	)
	if found := names(t, dir); len(found) != 6 {
		t.Errorf("refused files left something behind: %q", found)
	}
}

func TestWithoutLimitsNothingIsCounted(t *testing.T) {
	store := &countedStore{MediaStore: dirStore(t, t.TempDir())}
	p := hostIn(t, store)
	for range 10 {
		fill(t, p, "alice", maxMedia, nil)
	}
	if store.listed != 0 {
		t.Errorf("the store was listed %d times", store.listed)
	}
}

func TestQuotaOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	fill(t, hostWithQuota(t, dirStore(t, dir)), "alice", 100, nil, "alice", 100, nil, "bob", 100, nil)
	store := dirStore(t, dir)
	// Killed while a third one was written: what is not committed takes no room.
	file, err := store.Create(context.Background(), provider.MediaReference{1})
	check(t, err)
	_, err = file.Write(make([]byte, 100))
	check(t, err)
	p := hostWithQuota(t, dirStore(t, dir))
	fill(t, p, "alice", 51, provider.ErrQuota, "alice", 50, nil, "bob", 51, provider.ErrMediaFull, "bob", 50, nil)
}

func TestFileThatFailsGivesItsRoomBack(t *testing.T) {
	p := hostWithQuota(t, dirStore(t, t.TempDir()))
	mine := errors.New("the homeserver went away")
	for range 10 {
		_, err := p.PutMedia(context.Background(), "alice", func(w io.Writer) error { w.Write(make([]byte, 90)); return mine })
		if !errors.Is(err, mine) {
			t.Fatal(err)
		}
	}
	fill(t, p, "alice", 100, nil, "alice", 100, nil, "alice", 50, nil)
}

func TestQuotaEndsAFileInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	p := hostWithQuota(t, dirStore(t, dir))
	fill(t, p, "alice", 100, nil, "alice", 100, nil)
	_, err := p.PutMedia(context.Background(), "alice", func(w io.Writer) error {
		for range 10 {
			w.Write(make([]byte, 10)) // the error is overlooked
		}
		return nil
	})
	if found := names(t, dir); !errors.Is(err, provider.ErrQuota) || len(found) != 2 {
		t.Errorf("%v, %d files", err, len(found))
	}
}

func TestManyAtOnceStayBelowTheLimits(t *testing.T) {
	dir := t.TempDir()
	p := hostWithQuota(t, dirStore(t, dir))
	var writers sync.WaitGroup
	for _, owner := range []string{"alice", "bob", "carol"} {
		for range 20 {
			writers.Go(func() {
				if _, err := putSize(p, owner, 10); err != nil && !errors.Is(err, provider.ErrQuota) && !errors.Is(err, provider.ErrMediaFull) {
					t.Error(err)
				}
			})
		}
		writers.Go(func() {
			if _, err := p.SweepMedia(context.Background()); err != nil { // which only counts
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if found := names(t, dir); len(found) != quotaAll/10 {
		t.Errorf("%d files of 10 bytes", len(found))
	}
	fill(t, hostWithQuota(t, dirStore(t, dir)), "dave", 1, provider.ErrMediaFull)
}

func TestSweepMakesRoom(t *testing.T) {
	dir := t.TempDir()
	p := hostWithQuota(t, dirStore(t, dir))
	fill(t, p, "alice", 100, nil, "alice", 100, nil, "alice", 50, nil, "bob", 100, nil, "bob", 50, nil)
	found := names(t, dir)
	check(t, os.Chtimes(filepath.Join(dir, found[0]), noon, noon)) // long ago
	size := int(fileSize(t, filepath.Join(dir, found[1])))
	check(t, os.Remove(filepath.Join(dir, found[1]))) // by the admin
	old := 400 - size
	for _, name := range found[2:] {
		old -= int(fileSize(t, filepath.Join(dir, name)))
	}
	removed, err := p.SweepMedia(context.Background())
	if err != nil || removed != 1 {
		t.Fatalf("removed %d, %v", removed, err)
	}
	// Carol has as much room as the two files left.
	for left := size + old; left > 0; left -= 50 {
		fill(t, p, "carol", 50, nil)
	}
	fill(t, p, "carol", 1, provider.ErrMediaFull)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	return info.Size()
}

func TestForgottenOwnerHasNoFilesAndRoom(t *testing.T) {
	dir := t.TempDir()
	p := hostWithQuota(t, dirStore(t, dir))
	fill(t, p, "alice", 100, nil, "alice", 100, nil, "alice", 50, nil)
	of, err := putSize(p, "bob", 100)
	check(t, err)
	check(t, p.ForgetMedia(context.Background(), "alice"))
	if found := names(t, dir); !slices.Equal(found, []string{of}) {
		t.Errorf("left: %q, want %q", found, of)
	}
	fill(t, p, "alice", 100, nil, "alice", 100, nil, "alice", 50, nil)
	check(t, p.ForgetMedia(context.Background(), "nobody"))
	// After a restart the owner is known as well.
	check(t, hostWithQuota(t, dirStore(t, dir)).ForgetMedia(context.Background(), "alice"))
	if found := names(t, dir); !slices.Equal(found, []string{of}) {
		t.Errorf("after a restart: %q, want %q", found, of)
	}
}

func TestWithoutAStoreThereIsNothingToForget(t *testing.T) {
	check(t, newProvider(t, sharedKeys()).ForgetMedia(context.Background(), "alice"))
}

func TestReferencesDoNotTellWhoseFileItIs(t *testing.T) {
	dir := t.TempDir()
	p := hostIn(t, dirStore(t, dir))
	seen := make(map[string]bool)
	for range 100 {
		reference, err := putSize(p, "alice", 0)
		check(t, err)
		parsed, err := provider.ParseMediaReference(reference)
		check(t, err)
		for at := 0; at < len(parsed); at += 8 {
			if part := string(parsed[at : at+8]); seen[part] {
				t.Fatalf("two references of one owner have 8 bytes in common")
			} else {
				seen[part] = true
			}
		}
	}
	// Who has another key cannot tell either.
	o := options(t, sharedKeys())
	o.Media, o.MaxMedia, o.MediaKey = dirStore(t, dir), maxMedia, [provider.MediaKeySize]byte{2}
	stranger, err := provider.New(context.Background(), o)
	check(t, err)
	check(t, stranger.ForgetMedia(context.Background(), "alice"))
	if found := names(t, dir); len(found) != 100 {
		t.Errorf("%d files are left", len(found))
	}
}

// Of an earlier version, or made with a key that was lost: nobody's, but they take room and get old.
func TestFilesOfNobodyCountInAll(t *testing.T) {
	dir := t.TempDir()
	store := dirStore(t, dir)
	for i := range byte(3) {
		file, err := store.Create(context.Background(), provider.MediaReference{i})
		check(t, err)
		_, err = file.Write(make([]byte, 100))
		check(t, err)
		check(t, file.Commit())
	}
	p := hostWithQuota(t, store)
	fill(t, p, "alice", 100, nil, "alice", 1, provider.ErrMediaFull)
	for _, name := range names(t, dir) {
		check(t, os.Chtimes(filepath.Join(dir, name), noon, noon))
	}
	if removed, err := p.SweepMedia(context.Background()); err != nil || removed != 4 {
		t.Errorf("removed %d, %v", removed, err)
	}
}
