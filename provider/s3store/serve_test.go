package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/provider"
	"postern/provider/storetest"
)

// oneKey is a provider.KeyStore that is used at the start only.
type oneKey struct {
	provider.KeyStore
	keys []provider.StoredKey
}

func (k *oneKey) SigningKeys(context.Context) ([]provider.StoredKey, error) { return k.keys, nil }

func (k *oneKey) AddFirstKey(_ context.Context, key provider.StoredKey) error {
	k.keys = []provider.StoredKey{key}
	return nil
}

const maxMedia = 8 << 20

func host(t testing.TB, store provider.MediaStore, log io.Writer) *provider.Provider {
	t.Helper()
	p, err := provider.New(context.Background(), provider.Options{
		Issuer: "https://partner.example.org", Domain: "example.org", Keys: &oneKey{}, Log: zerolog.New(log),
		Media: store, MaxMedia: maxMedia, MediaPerOwner: maxMedia, MediaKey: [provider.MediaKeySize]byte{1},
		MediaRetention: 24 * time.Hour, AddressRate: 1000, TotalRate: 1000,
	})
	check(t, err)
	return p
}

func put(p *provider.Provider, owner string, content []byte) (reference string, err error) {
	return p.PutMedia(context.Background(), owner, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(content))
		return err
	})
}

func get(p *provider.Provider, reference, ranges string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "https://partner.example.org"+provider.MediaPath+reference, nil)
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}

func TestPartnerServerHostsFilesInABucket(t *testing.T) {
	bucket := newBucket(t)
	p, content := host(t, bucket.store(t), io.Discard), storetest.Content(6<<20)
	reference, err := put(p, "alice", content)
	check(t, err)
	for _, test := range []struct {
		ranges string
		status int
		want   []byte
	}{
		{"", 200, content}, {"bytes=0-99", 206, content[:100]}, {"bytes=5242870-5242890", 206, content[5242870:5242891]},
		{"bytes=6000000-", 206, content[6000000:]}, {"bytes=-7", 206, content[6<<20-7:]}, {"bytes=6291456-", 416, nil},
	} {
		if w := get(p, reference, test.ranges); w.Code != test.status || test.want != nil && !bytes.Equal(w.Body.Bytes(), test.want) {
			t.Errorf("%q: status %d, %d bytes", test.ranges, w.Code, w.Body.Len())
		}
	}
	if before := bucket.requests("GET"); get(p, reference, "").Code != 200 || bucket.requests("GET") != before+1 {
		t.Errorf("a file takes %d requests", bucket.requests("GET")-before)
	}
	if _, err = put(p, "alice", content); !errors.Is(err, provider.ErrQuota) {
		t.Errorf("over the quota: %v", err)
	}
	// The bucket is all that is needed to know what is used.
	p = host(t, bucket.store(t), io.Discard)
	if _, err = put(p, "alice", content); !errors.Is(err, provider.ErrQuota) {
		t.Errorf("over the quota after a restart: %v", err)
	}
	_, err = put(p, "bob", content)
	check(t, err)
	check(t, p.ForgetMedia(context.Background(), "bob"))
	if names := bucket.names(t); len(names) != 1 || names[0] != prefix+reference {
		t.Errorf("kept: %q", names)
	}
}

func TestFilesInABucketGetOld(t *testing.T) {
	bucket := newBucket(t)
	p := host(t, bucket.store(t), io.Discard)
	bucket.clock.ahead.Store(-int64(25 * time.Hour))
	old, err := put(p, "alice", []byte("old"))
	check(t, err)
	bucket.clock.ahead.Store(-int64(23 * time.Hour))
	_, err = put(p, "alice", []byte("newer"))
	check(t, err)
	bucket.clock.ahead.Store(0)
	if removed, err := p.SweepMedia(context.Background()); err != nil || removed != 1 {
		t.Errorf("removed %d, %v", removed, err)
	}
	if w := get(p, old, ""); w.Code != http.StatusNotFound {
		t.Errorf("an old file: status %d", w.Code)
	}
}

func TestWhileTheBucketIsAwayFilesWait(t *testing.T) {
	bucket := newBucket(t)
	var log bytes.Buffer
	p := host(t, bucket.store(t), &log)
	reference, err := put(p, "alice", []byte("ciphertext"))
	check(t, err)
	bucket.intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	if w := get(p, reference, ""); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
	_, err = put(p, "alice", []byte("another"))
	if err == nil || errors.Is(err, provider.ErrQuota) || errors.Is(err, provider.ErrMediaTooLarge) {
		t.Errorf("put: %v", err)
	}
	for _, secret := range []string{reference, accessKey, secretKey} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log shows %q: %s", secret, &log)
		}
	}
	bucket.intercept(func(http.ResponseWriter, *http.Request) bool { return false })
	if w := get(p, reference, ""); w.Body.String() != "ciphertext" {
		t.Errorf("when it is back: status %d, %q", w.Code, w.Body)
	}
	_, err = put(p, "alice", []byte("another"))
	check(t, err)
}

// TestClientThatGoesAwayEndsTheRequestToTheBucket: a file is not fetched for nobody.
func TestClientThatGoesAwayEndsTheRequestToTheBucket(t *testing.T) {
	bucket := newBucket(t)
	p := host(t, bucket.store(t), io.Discard)
	reference, err := put(p, "alice", []byte("ciphertext"))
	check(t, err)
	ended := make(chan struct{})
	bucket.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Write([]byte("some"))
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(ended)
		return true
	})
	ctx, leave := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, leave)
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "https://partner.example.org"+provider.MediaPath+reference, nil)
	p.Handler().ServeHTTP(httptest.NewRecorder(), r)
	<-ended
}
