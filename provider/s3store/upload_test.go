package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"postern/provider"
	"postern/provider/storetest"
)

// TestUploadThatFailsLeavesNothing: whichever request fails, even if the server did what it was asked.
func TestUploadThatFailsLeavesNothing(t *testing.T) {
	for name, fails := range map[string]func(r *http.Request) bool{
		"the beginning":   func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") },
		"the first part":  func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "1" },
		"the second part": func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" },
		"the end":         func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") },
		"a small file":    func(r *http.Request) bool { return r.Method == http.MethodPut && !r.URL.Query().Has("partNumber") },
	} {
		for _, done := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, done %v", name, done), func(t *testing.T) {
				t.Parallel()
				bucket := newBucket(t)
				store, size := bucket.store(t), 11<<20
				if name == "a small file" {
					size = 1000
				}
				bucket.intercept(func(w http.ResponseWriter, r *http.Request) bool {
					if !fails(r) {
						return false
					}
					if done {
						bucket.s3.ServeHTTP(discard{http.Header{}}, r)
					}
					panic(http.ErrAbortHandler)
				})
				file, err := store.Create(context.Background(), someFile)
				check(t, err)
				_, writeErr := file.Write(make([]byte, size))
				wantTrouble(t, "put", errors.Join(writeErr, file.Commit()), "bucket")
				file.Abort()
				if names := bucket.names(t); len(names) != 0 {
					t.Errorf("left: %q", names)
				}
				// The beginning whose answer was lost has nothing that it could be aborted by: that is for Clean.
				if uploads := bucket.uploads(t); len(uploads) != 0 && name != "the beginning" {
					t.Errorf("%d uploads are left", len(uploads))
				}
			})
		}
	}
}

// discard is an answer that is lost.
type discard struct{ header http.Header }

func (d discard) Header() http.Header          { return d.header }
func (discard) Write(data []byte) (int, error) { return len(data), nil }
func (discard) WriteHeader(int)                {}

func TestUploadOfAKilledProcessIsCleanedUpAfterADay(t *testing.T) {
	bucket := newBucket(t)
	begin := func(reference provider.MediaReference) provider.MediaWriter {
		file, err := bucket.store(t).Create(context.Background(), reference)
		check(t, err)
		_, err = file.Write(make([]byte, 6<<20))
		check(t, err)
		return file
	}
	bucket.clock.ahead.Store(-int64(25 * time.Hour))
	begin(provider.MediaReference{1}) // and killed
	bucket.clock.ahead.Store(-int64(23 * time.Hour))
	running := begin(provider.MediaReference{2})
	if uploads := bucket.uploads(t); len(uploads) != 2 {
		t.Fatalf("%d uploads", len(uploads))
	}
	if kept := storetest.List(t, bucket.store(t)); len(kept) != 0 {
		t.Errorf("unfinished files are listed: %v", kept)
	}
	check(t, bucket.store(t).Clean(context.Background()))
	if uploads := bucket.uploads(t); len(uploads) != 1 {
		t.Errorf("%d uploads are left", len(uploads))
	}
	bucket.clock.ahead.Store(0)
	check(t, running.Commit())
	if kept := storetest.List(t, bucket.store(t)); kept[provider.MediaReference{2}] != 6<<20 {
		t.Errorf("the one that was running: %v", kept)
	}
}

func TestMemoryOfAnUploadIsAPart(t *testing.T) {
	bucket := newBucket(t)
	store := bucket.store(t)
	storetest.Put(t, store, someFile, make([]byte, 32<<20))
	if largest, parts := bucket.largest.Load(), bucket.requests("PUT"); largest != 5<<20 || parts != 7 {
		t.Errorf("%d requests, the largest with %d bytes", parts, largest)
	}
	storetest.Put(t, store, provider.MediaReference{8}, make([]byte, 1000))
	if parts, begun := bucket.requests("PUT"), bucket.requests("POST"); parts != 8 || begun != 2 {
		t.Errorf("a small file takes %d requests, %d", parts-7, begun-2)
	}
}
