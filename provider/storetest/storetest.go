// Package storetest checks that a [provider.MediaStore] keeps its contract. Tests of the stores call it.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"postern/provider"
)

// Kept is what a store lists: the sizes of its files.
type Kept map[provider.MediaReference]int64

// List returns what is in a store.
func List(t testing.TB, store provider.MediaStore) Kept {
	t.Helper()
	kept := Kept{}
	err := store.Each(context.Background(), func(file provider.MediaFile) error {
		if _, twice := kept[file.Reference]; twice {
			t.Error("a file is listed twice")
		}
		if age := time.Since(file.Committed); age < -time.Minute || age > time.Minute {
			t.Errorf("a new file is %v old", age)
		}
		kept[file.Reference] = file.Size
		return nil
	})
	must(t, err)
	return kept
}

// Content makes bytes whose order can be told.
func Content(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return content
}

// Put commits a file.
func Put(t testing.TB, store provider.MediaStore, reference provider.MediaReference, content []byte) {
	t.Helper()
	file, err := store.Create(context.Background(), reference)
	must(t, err)
	defer file.Abort()
	for piece := range slices.Chunk(content, 100_000) {
		n, err := file.Write(piece)
		must(t, err)
		if n != len(piece) {
			t.Fatalf("wrote %d of %d bytes", n, len(piece))
		}
	}
	must(t, file.Commit())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Check runs the conformance tests. open returns a store on a place of the test's own, which is empty the first time.
func Check(t *testing.T, open func(t *testing.T) func() provider.MediaStore) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, reopen func() provider.MediaStore)
	}{
		{"files of any size come back", comeBack},
		{"files can be read from any place", anyPlace},
		{"a file is there when it is committed", commits},
		{"what is aborted was never there", aborts},
		{"files are removed", removes},
		{"listings end when they should", listings},
		{"many at once", manyAtOnce},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func comeBack(t *testing.T, reopen func() provider.MediaStore) {
	store, want := reopen(), Kept{}
	// Around the size of a part.
	for i, size := range []int{0, 1, 5<<20 - 1, 5 << 20, 5<<20 + 1, 11 << 20} {
		reference := provider.MediaReference{byte(i), 1}
		want[reference] = int64(size)
		Put(t, store, reference, Content(size))
	}
	for _, store = range []provider.MediaStore{store, reopen()} {
		kept := List(t, store)
		if len(kept) != len(want) {
			t.Errorf("%d files are listed, want %d", len(kept), len(want))
		}
		for reference, size := range want {
			if kept[reference] != size {
				t.Errorf("a file of %d bytes is listed with %d", size, kept[reference])
			}
			file, err := store.Open(context.Background(), reference)
			must(t, err)
			read, err := io.ReadAll(file)
			if err != nil || !bytes.Equal(read, Content(int(size))) {
				t.Errorf("of %d bytes %d are read, %v", size, len(read), err)
			}
			must(t, file.Close())
		}
	}
}

func anyPlace(t *testing.T, reopen func() provider.MediaStore) {
	store, reference, content := reopen(), provider.MediaReference{}, Content(300_000)
	Put(t, store, reference, content)
	file, err := store.Open(context.Background(), reference)
	must(t, err)
	defer file.Close()
	if size, err := file.Seek(0, io.SeekEnd); err != nil || size != 300_000 {
		t.Fatalf("size %d, %v", size, err)
	}
	for _, at := range []int64{0, 100, 299_999, 0, 200_000, 250_000, 1} {
		if to, err := file.Seek(at, io.SeekStart); err != nil || to != at {
			t.Fatalf("at %d, %v", to, err)
		}
		read := make([]byte, min(1000, 300_000-at))
		if _, err = io.ReadFull(file, read); err != nil || !bytes.Equal(read, content[at:at+int64(len(read))]) {
			t.Errorf("other bytes are read at %d: %v", at, err)
		}
	}
	must(t, errors.Join(second(file.Seek(-1001, io.SeekCurrent))))
	rest, err := io.ReadAll(file)
	if err != nil || !bytes.Equal(rest, content) {
		t.Errorf("the rest has %d bytes, %v", len(rest), err)
	}
	if n, err := file.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if _, err = file.Seek(-1, io.SeekStart); err == nil {
		t.Error("a place before the file was found")
	}
}

func second[T any](_ T, err error) error { return err }

func commits(t *testing.T, reopen func() provider.MediaStore) {
	for i, size := range []int{10, 6 << 20} {
		store, reference := reopen(), provider.MediaReference{byte(i)}
		file, err := store.Create(context.Background(), reference)
		must(t, err)
		must(t, second(file.Write(Content(size))))
		unseen(t, store, reference)
		must(t, file.Commit())
		file.Abort() // has nothing to do any more
		if _, err = file.Write([]byte("more")); err == nil {
			t.Error("a file was written to that is committed")
		}
		if kept := List(t, store); kept[reference] != int64(size) {
			t.Errorf("listed with %d bytes, want %d", kept[reference], size)
		}
	}
}

func unseen(t *testing.T, store provider.MediaStore, reference provider.MediaReference) {
	t.Helper()
	if _, err := store.Open(context.Background(), reference); !errors.Is(err, provider.ErrNoMedia) {
		t.Errorf("opened: %v", err)
	}
	if _, listed := List(t, store)[reference]; listed {
		t.Error("the file is listed")
	}
}

func aborts(t *testing.T, reopen func() provider.MediaStore) {
	for i, size := range []int{0, 10, 6 << 20} {
		store, reference := reopen(), provider.MediaReference{byte(i)}
		ctx, cancel := context.WithCancel(context.Background())
		file, err := store.Create(ctx, reference)
		must(t, err)
		must(t, second(file.Write(Content(size))))
		cancel() // which is why it is aborted
		file.Abort()
		file.Abort()
		unseen(t, store, reference)
		if err = file.Commit(); err == nil {
			t.Error("a file was committed that is aborted")
		}
		unseen(t, store, reference)
		if _, err = store.Create(ctx, reference); !errors.Is(err, context.Canceled) {
			t.Errorf("a file was begun after the end: %v", err)
		}
	}
}

func removes(t *testing.T, reopen func() provider.MediaStore) {
	store, gone, stays := reopen(), provider.MediaReference{1}, provider.MediaReference{2}
	Put(t, store, gone, Content(10))
	Put(t, store, stays, Content(20))
	must(t, store.Remove(context.Background(), gone))
	unseen(t, store, gone)
	must(t, store.Remove(context.Background(), gone))
	if kept := List(t, store); len(kept) != 1 || kept[stays] != 20 {
		t.Errorf("left: %v", kept)
	}
	must(t, store.Each(context.Background(), func(file provider.MediaFile) error {
		return store.Remove(context.Background(), file.Reference)
	}))
	unseen(t, store, stays)
}

func listings(t *testing.T, reopen func() provider.MediaStore) {
	store := reopen()
	if kept := List(t, store); len(kept) != 0 {
		t.Errorf("an empty store lists %d files", len(kept))
	}
	for i := range byte(3) {
		Put(t, store, provider.MediaReference{i}, nil)
	}
	enough, calls := errors.New("enough"), 0
	err := store.Each(context.Background(), func(provider.MediaFile) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err = store.Each(ctx, func(provider.MediaFile) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func manyAtOnce(t *testing.T, reopen func() provider.MediaStore) {
	store := reopen()
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for i := range 5 {
				reference := provider.MediaReference{byte(worker), byte(i)}
				Put(t, store, reference, Content(1000*worker))
				List(t, store)
				if i%2 == 0 {
					if err := store.Remove(context.Background(), reference); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	workers.Wait()
	if kept := List(t, store); len(kept) != 8 {
		t.Errorf("%d files are left, want 8", len(kept))
	}
}
