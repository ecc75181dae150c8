package provider_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"postern/provider"
)

// countedStore can fail, and hold a listing back.
type countedStore struct {
	provider.MediaStore
	mu      sync.Mutex
	listed  int
	trouble error
	// before and after are called around a listing.
	before, after func()
}

func (s *countedStore) Each(ctx context.Context, do func(provider.MediaFile) error) error {
	s.mu.Lock()
	s.listed++
	trouble, before, after := s.trouble, s.before, s.after
	s.mu.Unlock()
	if trouble != nil {
		return trouble
	}
	if before != nil {
		before()
	}
	err := s.MediaStore.Each(ctx, do)
	if after != nil {
		after()
	}
	return err
}

// TestFilesThatComeWhileTheStoreIsListedCountOnce: whether the listing has them or not.
func TestFilesThatComeWhileTheStoreIsListedCountOnce(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		store := &countedStore{MediaStore: dirStore(t, t.TempDir())}
		p := hostWithQuota(t, store)
		fill(t, p, "alice", 100, nil)
		meanwhile := func() { fill(t, p, "alice", 100, nil) }
		if when == "before" {
			store.before = meanwhile
		} else {
			store.after = meanwhile
		}
		_, err := p.SweepMedia(context.Background())
		check(t, err)
		store.before, store.after = nil, nil
		fill(t, p, "alice", 51, provider.ErrQuota, "alice", 50, nil)
		_, err = p.SweepMedia(context.Background())
		check(t, err)
		fill(t, p, "alice", 1, provider.ErrQuota, "bob", 100, nil, "bob", 50, nil, "bob", 1, provider.ErrMediaFull)
	}
}

// A file in the middle of its way keeps its room while the store is listed, and loses it if it fails.
func TestFileOnItsWayIsCountedByALaterListing(t *testing.T) {
	p := hostWithQuota(t, dirStore(t, t.TempDir()))
	mine := errors.New("the homeserver went away")
	_, err := p.PutMedia(context.Background(), "alice", func(w io.Writer) error {
		w.Write(make([]byte, 100))
		_, err := p.SweepMedia(context.Background())
		check(t, err)
		fill(t, p, "alice", 100, nil, "alice", 51, provider.ErrQuota, "alice", 50, nil)
		return mine
	})
	if !errors.Is(err, mine) {
		t.Fatal(err)
	}
	fill(t, p, "alice", 100, nil, "alice", 1, provider.ErrQuota)
}

func TestStoreThatCannotBeListedIsTriedAgain(t *testing.T) {
	away := errors.New("connection refused")
	store := &countedStore{MediaStore: dirStore(t, t.TempDir()), trouble: away}
	p := hostWithQuota(t, store)
	_, err := p.PutMedia(context.Background(), "alice", func(io.Writer) error { t.Error("the file was read"); return nil })
	if !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if err = p.ForgetMedia(context.Background(), "alice"); !errors.Is(err, away) {
		t.Errorf("forget: %v", err)
	}
	store.trouble = nil
	fill(t, p, "alice", 100, nil)
	// Sums that are known outlast trouble.
	store.trouble = away
	if _, err = p.SweepMedia(context.Background()); !errors.Is(err, away) {
		t.Errorf("sweep: %v", err)
	}
	fill(t, p, "alice", 100, nil, "alice", 51, provider.ErrQuota)
}

func TestListingEndsWithItsContext(t *testing.T) {
	started, goOn := make(chan struct{}), make(chan struct{})
	store := &countedStore{MediaStore: dirStore(t, t.TempDir()), before: func() { close(started); <-goOn }}
	p := hostWithQuota(t, store)
	ended := make(chan error, 1)
	go func() { _, err := p.SweepMedia(context.Background()); ended <- err }()
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := p.ForgetMedia(ctx, "alice"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second listing: %v", err)
	}
	close(goOn)
	check(t, <-ended)
}

// TestTheStoreIsListedOnceForManyFirstFiles: not once for each of them.
func TestTheStoreIsListedOnceForManyFirstFiles(t *testing.T) {
	store := &countedStore{MediaStore: dirStore(t, t.TempDir())}
	p := hostWithQuota(t, store)
	var writers sync.WaitGroup
	for range 10 {
		writers.Go(func() {
			if _, err := putSize(p, "alice", 1); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if store.listed != 1 {
		t.Errorf("the store was listed %d times", store.listed)
	}
}
