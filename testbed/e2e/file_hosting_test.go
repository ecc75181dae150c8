package e2e_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"postern/testbed/stack"
)

// TestHostedFilesHaveLimits: a user over the own limit is told so and can do something else, and files over that of all wait for
// the administrator.
func TestHostedFilesHaveLimits(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	limits := func(user, total int) {
		withConfig(t, ctx, s, func(config map[string]any) {
			limits := config["limits"].(map[string]any)
			limits["file_mib"], limits["media_user_mib"], limits["media_total_mib"] = 1, user, total
		})
	}
	limits(1, 2)
	first, small, waits := randomBytes(700_000), randomBytes(100_000), randomBytes(600_000)
	alice.sendsPaper(t, ctx, room, first)
	refused := alice.sendsPaper(t, ctx, room, waits)
	alice.isRefused(t, ctx, refused, "take all the room that one user has")
	alice.sendsPaper(t, ctx, room, small)
	text := unique("not held up")
	alice.writes(t, ctx, room, text)
	hears(t, ctx, bob, text)
	hearsFiles(t, ctx, bob, first, small)

	limits(0, 1)
	mark := bob.Device().Mark()
	alice.sendsPaper(t, ctx, room, waits)
	waitLog(t, ctx, s, "the hosted files take all their room")
	limits(0, 2)
	if got := downloads(t, ctx, bob, hearsNext(t, ctx, bob, mark)); !bytes.Equal(got, waits) {
		t.Errorf("the contact gets %d bytes", len(got))
	}
}

// waitLog waits until the bridge has logged the words.
func waitLog(t *testing.T, ctx context.Context, s *stack.Stack, words string) {
	t.Helper()
	for {
		log, err := os.ReadFile(s.Bridge.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(log, []byte(words)) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the bridge did not log %q", words)
		}
	}
}

// TestFilesAreHostedInABucket, and wait while it is away.
func TestFilesAreHostedInABucket(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	bucket := newBucket(t)
	withConfig(t, ctx, s, func(config map[string]any) {
		public := config["public"].(map[string]any)
		public["media_store"] = "s3"
		public["s3"] = map[string]any{
			"endpoint": strings.TrimPrefix(bucket.URL, "http://"), "bucket": "files", "access_key": "access", "secret_key": "secret", "insecure": true,
		}
	})
	small, large := randomBytes(1000), randomBytes(12<<20)
	for _, file := range [][]byte{small, large} {
		mark := bob.Device().Mark()
		alice.sendsPaper(t, ctx, room, file)
		if got := downloads(t, ctx, bob, hearsNext(t, ctx, bob, mark)); !bytes.Equal(got, file) {
			t.Errorf("the contact gets %d of %d bytes", len(got), len(file))
		}
	}
	if put := bucket.put.Load(); put < 4 { // a file and three parts
		t.Errorf("the bucket took %d uploads", put)
	}

	bucket.away.Store(true)
	mark := bob.Device().Mark()
	alice.sendsPaper(t, ctx, room, large)
	select {
	case <-bucket.refused:
	case <-ctx.Done():
		t.Fatal("the bucket was not asked")
	}
	bucket.away.Store(false)
	if got := downloads(t, ctx, bob, hearsNext(t, ctx, bob, mark)); !bytes.Equal(got, large) {
		t.Errorf("after the bucket was away the contact gets %d bytes", len(got))
	}
}

// bucket is an S3 server that can be away.
type bucket struct {
	*httptest.Server
	away    atomic.Bool
	put     atomic.Int64
	refused chan struct{} // an element if an upload was refused
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(context.Background(), "files"); err != nil {
		t.Fatal(err)
	}
	s3 := gofakes3.New(backend, gofakes3.WithV4Auth(map[string]string{"access": "secret"})).Server()
	b := &bucket{refused: make(chan struct{}, 1)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !b.away.Load() {
			if r.Method == http.MethodPut {
				b.put.Add(1)
			}
			s3.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet {
			select {
			case b.refused <- struct{}{}:
			default: // one is enough
			}
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(b.Server.Close)
	return b
}
