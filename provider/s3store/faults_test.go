package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/provider"
	"postern/provider/s3store"
	"postern/provider/storetest"
)

// verbs do everything that a store does, each with its own request.
func verbs(store *s3store.Store) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"open": func(ctx context.Context) error { _, err := store.Open(ctx, someFile); return err },
		"put": func(ctx context.Context) error {
			file, err := store.Create(ctx, someFile)
			if err != nil {
				return err
			}
			defer file.Abort()
			_, writeErr := file.Write([]byte("ciphertext"))
			return errors.Join(writeErr, file.Commit())
		},
		"put in parts": func(ctx context.Context) error {
			file, err := store.Create(ctx, someFile)
			if err != nil {
				return err
			}
			defer file.Abort()
			_, err = file.Write(make([]byte, 6<<20))
			return err
		},
		"list":   func(ctx context.Context) error { return store.Each(ctx, func(provider.MediaFile) error { return nil }) },
		"remove": func(ctx context.Context) error { return store.Remove(ctx, someFile) },
		"clean":  store.Clean,
	}
}

// wantTrouble wants an error that may pass and that can be logged.
func wantTrouble(t *testing.T, name string, err error, says string) {
	t.Helper()
	if err == nil || errors.Is(err, provider.ErrNoMedia) || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, secret := range []string{someFile.String(), accessKey, secretKey, prefix} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s shows %q: %v", name, secret, err)
		}
	}
}

func TestBucketThatCannotBeUsedIsNotAnEmptyOne(t *testing.T) {
	for name, test := range map[string]struct {
		change func(b *bucket, o *s3store.Options)
		says   string
	}{
		"server away":      {func(b *bucket, _ *s3store.Options) { b.Close() }, "failed to reach the bucket"},
		"wrong secret key": {func(_ *bucket, o *s3store.Options) { o.SecretKey = "wrong" }, "SignatureDoesNotMatch (403)"},
		"wrong access key": {func(_ *bucket, o *s3store.Options) { o.AccessKey = "WRONG" }, "InvalidAccessKeyId (403)"},
		"no such bucket":   {func(_ *bucket, o *s3store.Options) { o.Bucket = "another" }, "NoSuchBucket (404)"},
		"out of order": {func(b *bucket, _ *s3store.Options) {
			b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				http.Error(w, "no "+r.URL.Path+" "+r.Header.Get("Authorization"), http.StatusServiceUnavailable)
				return true
			})
		}, "503"},
		"errors of its own words": {func(b *bucket, _ *s3store.Options) {
			b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, "<Error><Code>no %[1]s</Code><Message>no %[1]s</Message><Key>%[1]s</Key></Error>", r.URL.Path)
				return true
			})
		}, "400"},
		"cut off": {func(b *bucket, _ *s3store.Options) {
			b.intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
		}, "bucket"},
		"not S3": {func(b *bucket, _ *s3store.Options) {
			b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprintf(w, "<html>%s</html>", r.URL)
				return true
			})
		}, "403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bucket := newBucket(t)
			options := bucket.options()
			test.change(bucket, &options)
			for verb, do := range verbs(newStore(t, options)) {
				wantTrouble(t, verb, do(context.Background()), test.says)
			}
		})
	}
}

// hanging is a server that takes requests and never answers, on the bubble's clock.
type hanging struct{}

func (hanging) RoundTrip(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, context.Cause(request.Context())
}

func TestBucketThatHangsIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := s3store.Options{Endpoint: "s3.example", Region: "r", Bucket: bucketName, Prefix: prefix, Transport: hanging{}}
		for verb, do := range verbs(newStore(t, options)) {
			start := time.Now()
			wantTrouble(t, verb, do(context.Background()), "bucket")
			if took := time.Since(start); took > 20*time.Minute || verb == "open" && took > time.Minute {
				t.Errorf("%s took %v", verb, took)
			}
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(time.Second, func() { cancel(context.Canceled) })
			if err := do(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%s after its context ended: %v", verb, err)
			}
		}
	})
}

// dripping sends the beginning of a file and then nothing more.
type dripping struct{}

type drip struct {
	io.Reader
	ctx context.Context
}

func (dripping) RoundTrip(request *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Length": {"1000"}, "Last-Modified": {time.Now().Format(http.TimeFormat)}}
	return &http.Response{
		StatusCode: http.StatusOK, Header: header, ContentLength: 1000, Request: request,
		Body: drip{strings.NewReader("some"), request.Context()},
	}, nil
}

func (d drip) Read(into []byte) (int, error) {
	if n, _ := d.Reader.Read(into); n > 0 {
		return n, nil
	}
	<-d.ctx.Done()
	return 0, d.ctx.Err()
}

func (drip) Close() error { return nil }

func TestFileThatDoesNotGoOnBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore(t, s3store.Options{Endpoint: "s3.example", Region: "r", Bucket: bucketName, Prefix: prefix, Transport: dripping{}})
		file, err := store.Open(context.Background(), someFile)
		check(t, err)
		time.Sleep(time.Hour) // the client may be slow
		start := time.Now()
		read, err := io.ReadAll(file)
		wantTrouble(t, "read", err, "does not go on")
		if took := time.Since(start); string(read) != "some" || took != 30*time.Second {
			t.Errorf("read %q in %v", read, took)
		}
		check(t, file.Close())
	})
}

func TestFileThatIsCutInTheMiddleIsNotTakenForWhole(t *testing.T) {
	bucket := newBucket(t)
	store, content := bucket.store(t), storetest.Content(1<<20)
	storetest.Put(t, store, someFile, content)
	bucket.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || r.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", "1048576")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Write(content[:1000])
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	file, err := store.Open(context.Background(), someFile)
	check(t, err)
	defer file.Close()
	read, err := io.ReadAll(file)
	if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.Equal(read, content[:len(read)]) || len(read) > 1000 {
		t.Errorf("read %d bytes, %v", len(read), err)
	}
	wantTrouble(t, "read", err, "bucket")
}

func TestServerThatIgnoresRangesIsNotBelieved(t *testing.T) {
	bucket := newBucket(t)
	store := bucket.store(t)
	storetest.Put(t, store, someFile, storetest.Content(1000))
	bucket.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Write(storetest.Content(1000))
		return true
	})
	file, err := store.Open(context.Background(), someFile)
	check(t, err)
	defer file.Close()
	_, err = file.Seek(500, io.SeekStart)
	check(t, err)
	n, err := file.Read(make([]byte, 10))
	wantTrouble(t, "read", err, "not understood")
	if n != 0 {
		t.Errorf("read %d bytes", n)
	}
}

func TestObjectsOfOthersAreLeftAlone(t *testing.T) {
	bucket := newBucket(t)
	reference := someFile.String()
	others := []string{
		reference, "other/" + reference, prefix + "of the admin", prefix + "below/" + reference, prefix + reference[:42], "postern-" + reference,
	}
	for _, name := range others {
		_, err := bucket.backend.PutObject(context.Background(), bucketName, name, nil, strings.NewReader("x"), 1)
		check(t, err)
	}
	store := bucket.store(t)
	if kept := storetest.List(t, store); len(kept) != 0 {
		t.Errorf("listed: %v", kept)
	}
	storetest.Put(t, store, someFile, nil)
	check(t, store.Each(context.Background(), func(file provider.MediaFile) error {
		return store.Remove(context.Background(), file.Reference)
	}))
	if names := bucket.names(t); len(names) != len(others) {
		t.Errorf("left: %q", names)
	}
}

func TestAnswersAreBounded(t *testing.T) {
	bucket := newBucket(t)
	var sent int
	bucket.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		fmt.Fprint(w, "<ListBucketResult>")
		for sent = 0; sent < 1<<30; sent += 1 << 16 {
			if _, err := w.Write(bytes.Repeat([]byte("<a>"), 1<<16/3)); err != nil {
				break
			}
		}
		return true
	})
	err := bucket.store(t).Each(context.Background(), func(provider.MediaFile) error { return nil })
	bucket.Close() // waits for the handler
	if err == nil || sent > 64<<20 {
		t.Errorf("%d bytes were taken, %v", sent, err)
	}
}
