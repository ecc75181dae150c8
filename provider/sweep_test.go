package provider_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postern/provider"
)

// hostUntil is a provider for which files that were committed earlier than before are too old.
func hostUntil(t testing.TB, store provider.MediaStore, before time.Time) *provider.Provider {
	t.Helper()
	o := options(t, sharedKeys())
	o.Media, o.MaxMedia, o.MediaRetention = store, maxMedia, time.Hour
	o.Now = func() time.Time { return before.Add(time.Hour) }
	p, err := provider.New(context.Background(), o)
	check(t, err)
	return p
}

func TestSweepTakesWhatIsOlder(t *testing.T) {
	dir := t.TempDir()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	p := hostIn(t, store)
	older, exact, newer := put(t, p, nil), put(t, p, nil), put(t, p, nil)
	for name, at := range map[string]time.Time{
		older: noon.Add(-time.Nanosecond), exact: noon, newer: noon.Add(time.Nanosecond),
		"of the admin": noon.Add(-time.Hour), older[:42]: noon.Add(-time.Hour),
	} {
		path := filepath.Join(dir, name)
		file, err := os.OpenFile(path, os.O_CREATE, 0o600)
		check(t, err)
		check(t, file.Close())
		check(t, os.Chtimes(path, at, at))
	}
	removed, err := hostUntil(t, store, noon).SweepMedia(context.Background())
	if err != nil || removed != 1 {
		t.Errorf("removed %d, %v", removed, err)
	}
	want := []string{exact, newer, "of the admin", older[:42]}
	slices.Sort(want)
	if found := names(t, dir); !slices.Equal(found, want) {
		t.Errorf("left: %q, want %q", found, want)
	}
}

func TestFileThatCannotBeSweptDoesNotKeepTheRest(t *testing.T) {
	dir := t.TempDir()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	p := hostIn(t, store)
	// A folder that is not empty cannot be removed, whoever runs the test.
	stuck := put(t, p, nil)
	check(t, os.Remove(filepath.Join(dir, stuck)))
	check(t, os.MkdirAll(filepath.Join(dir, stuck, "content"), 0o700))
	for range 3 {
		put(t, p, nil)
	}
	removed, err := hostUntil(t, store, time.Now().Add(time.Hour)).SweepMedia(context.Background())
	if err == nil || removed != 3 {
		t.Errorf("removed %d, %v", removed, err)
	}
}

func TestSweepEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	store, err := provider.NewDirStore(dir)
	check(t, err)
	put(t, hostIn(t, store), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	removed, err := hostUntil(t, store, time.Now().Add(time.Hour)).SweepMedia(ctx)
	if !errors.Is(err, context.Canceled) || removed != 0 {
		t.Errorf("removed %d, %v", removed, err)
	}
}

func TestFileThatIsSweptWhileItIsFetchedIsStillWhole(t *testing.T) {
	store, err := provider.NewDirStore(t.TempDir())
	check(t, err)
	reference, err := provider.ParseMediaReference(put(t, hostIn(t, store), []byte("ciphertext")))
	check(t, err)
	file, err := store.Open(context.Background(), reference)
	check(t, err)
	defer file.Close()
	_, err = hostUntil(t, store, time.Now().Add(time.Hour)).SweepMedia(context.Background())
	check(t, err)
	read := make([]byte, 20)
	if n, err := file.Read(read); err != nil || string(read[:n]) != "ciphertext" {
		t.Errorf("read %q, %v", read[:n], err)
	}
	if _, err = store.Open(context.Background(), reference); !errors.Is(err, provider.ErrNoMedia) {
		t.Errorf("opened again: %v", err)
	}
}

// sweptStore notes when it is swept, and has one file that is too old and one that is not.
type sweptStore struct {
	provider.MediaStore
	retention time.Duration
	mu        sync.Mutex
	swept     []time.Time
	removed   []provider.MediaReference
	cleaned   int
}

var tooOld, notYet = provider.MediaReference{1}, provider.MediaReference{2}

func (s *sweptStore) Each(_ context.Context, do func(provider.MediaFile) error) error {
	s.mu.Lock()
	s.swept = append(s.swept, time.Now())
	s.mu.Unlock()
	limit := time.Now().Add(-s.retention)
	return errors.Join(
		do(provider.MediaFile{Reference: tooOld, Committed: limit.Add(-1)}), do(provider.MediaFile{Reference: notYet, Committed: limit}),
		errors.New("not today"), // which must not end the sweeper
	)
}

func (s *sweptStore) Remove(_ context.Context, reference provider.MediaReference) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = append(s.removed, reference)
	return nil
}

func (s *sweptStore) Clean(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleaned++
	return errors.New("not today either")
}

func (s *sweptStore) seen() (swept []time.Time, removed []provider.MediaReference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.swept), slices.Clone(s.removed)
}

// silence is a listener that nobody calls.
type silence struct{ closed chan struct{} }

func (s silence) Accept() (net.Conn, error) { <-s.closed; return nil, net.ErrClosed }
func (s silence) Addr() net.Addr            { return &net.TCPAddr{} }
func (s silence) Close() error              { close(s.closed); return nil }

func TestServerSweepsAtItsStartAndEveryHour(t *testing.T) {
	keys := sharedKeys()
	synctest.Test(t, func(t *testing.T) {
		store := &sweptStore{retention: 5 * 24 * time.Hour}
		o := options(t, keys)
		o.Media, o.MaxMedia, o.MediaRetention, o.Now = store, 1, store.retention, nil
		p, err := provider.New(t.Context(), o)
		check(t, err)
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(ctx, silence{make(chan struct{})}) }()
		synctest.Wait()
		for hour := range 4 {
			swept, removed := store.seen()
			if len(swept) != hour+1 || !swept[hour].Equal(start.Add(time.Duration(hour)*time.Hour)) {
				t.Errorf("after %d hours: %v", hour, swept)
			}
			if len(removed) != hour+1 || slices.Contains(removed, notYet) {
				t.Errorf("after %d hours %d files are removed", hour, len(removed))
			}
			time.Sleep(time.Hour) // of the bubble's clock
			synctest.Wait()
		}
		cancel()
		check(t, <-ended)
		if store.cleaned != 5 { // at the start, too
			t.Errorf("cleaned %d times", store.cleaned)
		}
		before, _ := store.seen()
		time.Sleep(2 * time.Hour)
		if after, _ := store.seen(); len(after) != len(before) {
			t.Errorf("swept %d times after the end", len(after)-len(before))
		}
	})
}
