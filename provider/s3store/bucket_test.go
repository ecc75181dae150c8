package s3store_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"

	"postern/provider"
	"postern/provider/s3store"
)

const (
	bucketName = "hosted-files"
	accessKey  = "AKIDPOSTERN"
	secretKey  = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
	prefix     = "postern/"
)

// bucket is a real S3 server in this process, which checks the signatures, with one bucket.
type bucket struct {
	*httptest.Server
	backend *s3mem.Backend
	s3      http.Handler
	clock   *movedClock
	// before, if set, is asked before each request; if it returns true, it has answered.
	before atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
	// largest is the size of the largest request.
	largest atomic.Int64
	lock    sync.Mutex
	seen    []string
}

// movedClock is the server's.
type movedClock struct{ ahead atomic.Int64 }

func (c *movedClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *movedClock) Since(at time.Time) time.Duration {
	return c.Now().Sub(at)
}

func newBucket(t testing.TB) *bucket {
	t.Helper()
	b := &bucket{clock: &movedClock{}}
	b.backend = s3mem.New(s3mem.WithTimeSource(b.clock))
	check(t, b.backend.CreateBucket(context.Background(), bucketName))
	b.s3 = gofakes3.New(b.backend, gofakes3.WithV4Auth(map[string]string{accessKey: secretKey}),
		gofakes3.WithTimeSource(b.clock), gofakes3.WithTimeSkewLimit(0)).Server()
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.lock.Lock()
		b.seen = append(b.seen, r.Method+" "+r.URL.RequestURI())
		b.lock.Unlock()
		for largest := b.largest.Load(); r.ContentLength > largest && !b.largest.CompareAndSwap(largest, r.ContentLength); {
			largest = b.largest.Load()
		}
		if before := b.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		b.s3.ServeHTTP(w, r)
	}))
	b.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that a test cuts
	b.Server.Start()
	t.Cleanup(b.Server.Close)
	return b
}

func (b *bucket) options() s3store.Options {
	return s3store.Options{
		Endpoint: strings.TrimPrefix(b.URL, "http://"), Region: "us-east-1", Bucket: bucketName, Prefix: prefix,
		AccessKey: accessKey, SecretKey: secretKey, Insecure: true,
	}
}

func (b *bucket) store(t testing.TB) *s3store.Store {
	t.Helper()
	return newStore(t, b.options())
}

func newStore(t testing.TB, options s3store.Options) *s3store.Store {
	t.Helper()
	store, err := s3store.New(options)
	check(t, err)
	return store
}

// intercept answers requests in the server's place, until the test ends or intercepts anew.
func (b *bucket) intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	b.before.Store(&before)
}

// names are those of all objects, whoever put them.
func (b *bucket) names(t testing.TB) (names []string) {
	t.Helper()
	list, err := b.backend.ListBucket(context.Background(), bucketName, nil, gofakes3.ListBucketPage{})
	check(t, err)
	for _, object := range list.Contents {
		names = append(names, object.Key)
	}
	return names
}

// uploads are those that were begun and neither finished nor aborted.
func (b *bucket) uploads(t testing.TB) (ids []string) {
	t.Helper()
	options := b.options()
	client, err := minio.New(options.Endpoint, &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: options.Region,
	})
	check(t, err)
	for upload := range client.ListIncompleteUploads(context.Background(), bucketName, prefix, false) {
		if minio.ToErrorResponse(upload.Err).Code == minio.NoSuchUpload { // this server's word for none
			continue
		}
		check(t, upload.Err)
		ids = append(ids, upload.UploadID)
	}
	return ids
}

// requests counts those that begin so.
func (b *bucket) requests(beginning string) (count int) {
	b.lock.Lock()
	defer b.lock.Unlock()
	for _, request := range b.seen {
		if strings.HasPrefix(request, beginning) {
			count++
		}
	}
	return count
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var someFile = provider.MediaReference{7}
