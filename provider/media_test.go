package provider_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/provider"
)

const maxMedia = 1 << 20

// host is a provider that hosts files in a directory.
func host(t testing.TB) (p *provider.Provider, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "media")
	store, err := provider.NewDirStore(dir)
	check(t, err)
	return hostIn(t, store), dir
}

func hostIn(t testing.TB, store provider.MediaStore) *provider.Provider {
	t.Helper()
	o := options(t, sharedKeys())
	o.Media, o.MaxMedia = store, maxMedia
	p, err := provider.New(context.Background(), o)
	check(t, err)
	return p
}

func put(t testing.TB, p *provider.Provider, content []byte) (reference string) {
	t.Helper()
	reference, err := p.PutMedia(context.Background(), "alice", func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	check(t, err)
	return reference
}

// names lists what is in a directory.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestHostedFileIsForItsOwnerOnly(t *testing.T) {
	p, dir := host(t)
	reference := put(t, p, []byte("ciphertext"))
	for path, mode := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, reference): 0o600} {
		info, err := os.Stat(path)
		check(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
	if other := put(t, p, []byte("ciphertext")); other == reference {
		t.Error("two files have one reference")
	}
}

func TestHostedFileOutlivesARestart(t *testing.T) {
	p, dir := host(t)
	reference := put(t, p, []byte("ciphertext"))
	store, err := provider.NewDirStore(dir)
	check(t, err)
	if w := get(t, hostIn(t, store), provider.MediaPath+reference); w.Body.String() != "ciphertext" {
		t.Errorf("got %q", w.Body)
	}
}

func TestUnfinishedFileCannotBeFetchedAndIsGoneAfterAKill(t *testing.T) {
	dir := t.TempDir()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	p := hostIn(t, store)
	kept := put(t, p, []byte("kept"))
	var reference provider.MediaReference
	file, err := store.Create(context.Background(), reference)
	check(t, err)
	_, err = file.Write([]byte("half of"))
	check(t, err)
	if w := request(p, "GET", provider.MediaPath+reference.String()); w.Code != 404 {
		t.Errorf("half of a file was answered with %d", w.Code)
	}
	if found := names(t, dir); len(found) != 2 {
		t.Fatalf("found %q", found)
	}
	// The process is killed here: neither Commit nor Abort is called.
	_, err = provider.NewDirStore(dir)
	check(t, err)
	if found := names(t, dir); len(found) != 1 || found[0] != kept {
		t.Errorf("after the next start there are %q", found)
	}
	if err = file.Commit(); err == nil {
		t.Error("a file whose bytes were cleaned up could be committed")
	}
}

func TestFailedFilesLeaveNothingBehind(t *testing.T) {
	mine := errors.New("the homeserver went away")
	for name, test := range map[string]struct {
		write func(w io.Writer, endContext func()) error
		want  error
	}{
		"the source fails": {func(w io.Writer, _ func()) error { w.Write([]byte("half")); return mine }, mine},
		"too large": {func(w io.Writer, _ func()) error {
			_, err := w.Write(make([]byte, maxMedia+1))
			return err
		}, provider.ErrMediaTooLarge},
		"too large in pieces": {func(w io.Writer, _ func()) error {
			_, err := io.Copy(w, io.LimitReader(zeros{}, maxMedia+1))
			return err
		}, provider.ErrMediaTooLarge},
		"too large and not noticed": {func(w io.Writer, _ func()) error {
			w.Write(make([]byte, maxMedia+1))
			w.Write([]byte("a little"))
			return nil
		}, provider.ErrMediaTooLarge},
		"the context ends": {func(w io.Writer, end func()) error {
			end()
			_, err := io.Copy(w, zeros{})
			return err
		}, context.Canceled},
		"the context ends at the end": {func(_ io.Writer, end func()) error { end(); return nil }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			p, dir := host(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			reference, err := p.PutMedia(ctx, "alice", func(w io.Writer) error { return test.write(w, cancel) })
			if !errors.Is(err, test.want) || reference != "" {
				t.Errorf("got %q, %v", reference, err)
			}
			if found := names(t, dir); len(found) != 0 {
				t.Errorf("found %q", found)
			}
		})
	}
}

func TestFileOfTheLargestSizeIsHosted(t *testing.T) {
	p, _ := host(t)
	reference := put(t, p, make([]byte, maxMedia))
	if w := get(t, p, provider.MediaPath+reference); w.Body.Len() != maxMedia {
		t.Errorf("got %d bytes", w.Body.Len())
	}
}

func TestPanicOfTheSourceLeavesNothingBehind(t *testing.T) {
	p, dir := host(t)
	func() {
		defer func() { _ = recover() }()
		p.PutMedia(context.Background(), "alice", func(w io.Writer) error { w.Write([]byte("half")); panic("a bug") })
	}()
	if found := names(t, dir); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}

// zeros has no end.
type zeros struct{}

func (zeros) Read(into []byte) (int, error) { clear(into); return len(into), nil }

func TestErrorsOfTheDirectoryHoldNoReference(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "media")
	store, err := provider.NewDirStore(dir)
	check(t, err)
	var reference provider.MediaReference
	file, err := store.Create(context.Background(), reference)
	check(t, err)
	check(t, os.RemoveAll(dir))
	_, createErr := store.Create(context.Background(), reference)
	eachErr := store.Each(context.Background(), func(provider.MediaFile) error { return nil })
	for verb, err := range map[string]error{"create": createErr, "commit": file.Commit(), "each": eachErr} {
		if !errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), reference.String()) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", verb, err)
		}
	}
}

func TestDirectoryThatCannotBeUsedIsFoundOutAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	check(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := provider.NewDirStore(dir); err == nil {
			t.Errorf("%s is accepted", dir)
		}
	}
}

func TestWithoutAStoreNoFilesAreHosted(t *testing.T) {
	p := newProvider(t, sharedKeys())
	_, err := p.PutMedia(context.Background(), "alice", func(io.Writer) error { t.Error("the file was read"); return nil })
	if !errors.Is(err, provider.ErrMediaOff) {
		t.Errorf("got %v", err)
	}
}

func TestMediaOptionsAreChecked(t *testing.T) {
	o := options(t, sharedKeys())
	var err error
	o.Media, err = provider.NewDirStore(t.TempDir())
	check(t, err)
	if _, err = provider.New(context.Background(), o); !errors.Is(err, provider.ErrBadOptions) {
		t.Errorf("without a size: %v", err)
	}
	o.MaxMedia, o.MediaRetention = 1, -time.Second
	if _, err = provider.New(context.Background(), o); !errors.Is(err, provider.ErrBadOptions) {
		t.Errorf("negative time: %v", err)
	}
	o.MaxMedia, o.MediaRetention, o.MediaKey = 10, 0, [provider.MediaKeySize]byte{}
	if _, err = provider.New(context.Background(), o); !errors.Is(err, provider.ErrBadOptions) {
		t.Errorf("no key: %v", err)
	}
	for _, room := range [][2]int64{{9, 0}, {0, 9}, {-1, 0}, {10, -1}} {
		o.MediaKey[0], o.MediaPerOwner, o.MediaInAll = 1, room[0], room[1]
		if _, err = provider.New(context.Background(), o); !errors.Is(err, provider.ErrBadOptions) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
}

func TestFilesArePutFetchedAndSweptAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	p, sweeper := hostIn(t, store), hostUntil(t, store, time.Now().Add(time.Hour))
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			content := bytes.Repeat([]byte{byte(worker)}, 50_000)
			for range 20 {
				reference, err := p.PutMedia(context.Background(), "alice", func(w io.Writer) error {
					_, err := w.Write(content)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				// Whether a sweep was faster or not: all of it, or nothing.
				w := request(p, "GET", provider.MediaPath+reference)
				if w.Code != 404 && !bytes.Equal(w.Body.Bytes(), content) {
					t.Errorf("status %d with %d bytes", w.Code, w.Body.Len())
				}
			}
		})
		workers.Go(func() {
			for range 20 {
				if _, err := sweeper.SweepMedia(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
	_, err = sweeper.SweepMedia(context.Background())
	check(t, err)
	if found := names(t, dir); len(found) != 0 {
		t.Errorf("left: %q", found)
	}
}

func TestReferencesHaveOneForm(t *testing.T) {
	p, _ := host(t)
	reference := put(t, p, nil)
	if len(reference) != 43 {
		t.Errorf("reference has %d letters", len(reference))
	}
	parsed, err := provider.ParseMediaReference(reference)
	if err != nil || parsed.String() != reference {
		t.Errorf("got %s, %v", parsed, err)
	}
	for _, bad := range []string{
		"", "A", reference + "A", reference + "=", reference[:42], reference + "\n", reference[:20] + "\n" + reference[20:],
		strings.Repeat("A", 42) + "B", // differs from 43 A in bits that are not used
		strings.Repeat("A", 42) + "+", strings.Repeat("A", 42) + "/", strings.Repeat("../", 14) + "x", strings.Repeat("A", 1<<20),
	} {
		if _, err = provider.ParseMediaReference(bad); !errors.Is(err, provider.ErrNoMedia) {
			t.Errorf("%.50q: %v", bad, err)
		}
	}
}
