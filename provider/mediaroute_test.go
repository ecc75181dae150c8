package provider_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"postern/provider"
)

func TestHostedFileIsServed(t *testing.T) {
	p, _ := host(t)
	content := "0123456789"
	path := provider.MediaPath + put(t, p, []byte(content))
	for _, test := range []struct {
		name, method string
		header       []string
		status       int
		body         string
		headers      map[string]string
	}{
		{"whole", "GET", nil, 200, content, map[string]string{
			"Content-Length": "10", "Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff",
			"Accept-Ranges": "bytes", "ETag": `"0"`, "Cache-Control": "private, max-age=86400, immutable",
		}},
		{"HEAD", "HEAD", nil, 200, "", map[string]string{"Content-Length": "10", "Content-Type": "application/octet-stream"}},
		{"range", "GET", []string{"Range", "bytes=2-4"}, 206, "234", map[string]string{"Content-Range": "bytes 2-4/10", "Content-Length": "3"}},
		{"open range", "GET", []string{"Range", "bytes=7-"}, 206, "789", map[string]string{"Content-Range": "bytes 7-9/10"}},
		{"last bytes", "GET", []string{"Range", "bytes=-2"}, 206, "89", map[string]string{"Content-Range": "bytes 8-9/10"}},
		{"range of HEAD", "HEAD", []string{"Range", "bytes=2-4"}, 206, "", map[string]string{"Content-Length": "3"}},
		{"resumed", "GET", []string{"Range", "bytes=8-", "If-Range", `"0"`}, 206, "89", nil},
		{"resumed, another version", "GET", []string{"Range", "bytes=8-", "If-Range", `"1"`}, 200, content, nil},
		{"range behind the end", "GET", []string{"Range", "bytes=10-"}, 416, "", map[string]string{"Content-Range": "bytes */10"}},
		{"rubbish as range", "GET", []string{"Range", "bytes=x"}, 416, "", nil},
		{"has it", "GET", []string{"If-None-Match", `"0"`}, 304, "", map[string]string{"ETag": `"0"`}},
		{"wants another", "GET", []string{"If-Match", `"1"`}, 412, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := request(p, test.method, path, test.header...)
			if w.Code != test.status || w.Code < 300 && w.Body.String() != test.body {
				t.Errorf("status %d, %q", w.Code, w.Body)
			}
			for name, want := range test.headers {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestWhoKnowsNoReferenceIsAStranger(t *testing.T) {
	p, dir := host(t)
	reference := put(t, p, []byte("ciphertext"))
	want := request(p, "GET", "/")
	same := func(method, path string) {
		t.Helper()
		w := request(p, method, path, "Range", "bytes=0-1")
		if w.Code != http.StatusNotFound || !bytes.Equal(w.Body.Bytes(), want.Body.Bytes()) || len(w.Header()) != len(want.Header()) {
			t.Errorf("%s %s: status %d, %q, %v", method, path, w.Code, w.Body, w.Header())
		}
	}
	for _, path := range []string{
		"/media", "/media/", "/media//", "/media/" + strings.Repeat("A", 43), "/media/" + reference + "/", "/media//" + reference,
		"/media/" + reference + ".part", "/media/" + reference[:42], "/media/./" + reference, "/MEDIA/" + reference, "/" + reference,
		"/media/\x00" + reference[1:], "/media/../media/" + reference,
	} {
		same("GET", path)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
		same(method, "/media/"+reference)
	}
	check(t, os.Remove(filepath.Join(dir, reference)))
	same("GET", "/media/"+reference)
}

// TestPathsLeadNowhereElse sends paths as they are, which Go's client would clean, through a real server.
func TestPathsLeadNowhereElse(t *testing.T) {
	p, dir := host(t)
	reference := put(t, p, []byte("ciphertext"))
	const secret = "postern.key's content"
	// As long as a reference, so that only its dots are wrong.
	name := "key" + strings.Repeat("y", 37)
	check(t, os.WriteFile(filepath.Join(filepath.Dir(dir), name), []byte(secret), 0o600))
	address, stop := serving(t, p)
	for _, path := range []string{
		"/media/../" + name, "/media/%2e%2e/" + name, "/media/..%2f" + name, "/media/%2e%2e%2f" + name, "/media/..%5c" + name,
		"/media/..\\" + name, "/media/" + reference + "/../../" + name, "/media/" + reference + "/..", "/media/.", "/media/..",
		"/media/%00", "/media/" + reference + "%00", "/media/%252e%252e%252f" + name, "/media/" + filepath.Join(filepath.Dir(dir), name),
		"/media//" + filepath.Join(dir, reference), "//media/" + reference, "http://x/media/../" + name,
	} {
		status, body := rawGet(t, address, path)
		if status != http.StatusNotFound && status != http.StatusBadRequest || strings.Contains(body, secret) {
			t.Errorf("%s: status %d, %q", path, status, body)
		}
	}
	if status, body := rawGet(t, address, "/media/"+reference); status != http.StatusOK || body != "ciphertext" {
		t.Errorf("the file itself: status %d, %q", status, body)
	}
	check(t, stop())
}

func rawGet(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	check(t, err)
	defer connection.Close()
	_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	check(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	check(t, err)
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	check(t, err)
	return response.StatusCode, string(read)
}

func TestMediaLogHoldsNoReference(t *testing.T) {
	var logged bytes.Buffer
	store, err := provider.NewDirStore(t.TempDir())
	check(t, err)
	o := options(t, sharedKeys())
	o.Media, o.MaxMedia, o.Log = store, maxMedia, zerolog.New(&logged)
	p, err := provider.New(context.Background(), o)
	check(t, err)
	reference := put(t, p, []byte("ciphertext"))
	request(p, "GET", provider.MediaPath+reference)
	if text := logged.String(); strings.Contains(text, reference) || !strings.Contains(text, `"route":"media","status":200`) {
		t.Errorf("logged %s", text)
	}
}

// brokenStore is a bucket that cannot be reached.
type brokenStore struct{ provider.MediaStore }

func (brokenStore) Open(context.Context, provider.MediaReference) (io.ReadSeekCloser, error) {
	return nil, errors.New("connection refused")
}

func TestStoreThatFailsDoesNotSayThatTheFileIsGone(t *testing.T) {
	p := hostIn(t, brokenStore{})
	if w := request(p, "GET", provider.MediaPath+strings.Repeat("A", 43)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

// giant is a store with one file of any size that takes no room.
type giant struct {
	provider.MediaStore
	size int64
}

type giantFile struct{ *io.SectionReader }

func (g giant) Open(context.Context, provider.MediaReference) (io.ReadSeekCloser, error) {
	return giantFile{io.NewSectionReader(zerosAt{}, 0, g.size)}, nil
}

func (giant) Each(context.Context, func(provider.MediaFile) error) error { return nil }

func (giantFile) Close() error { return nil }

type zerosAt struct{}

func (zerosAt) ReadAt(into []byte, _ int64) (int, error) { clear(into); return len(into), nil }

func TestLargeFilesAreStreamed(t *testing.T) {
	const size = 256 << 20
	address, stop := serving(t, hostIn(t, giant{size: size}))
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	response, err := client.Get("http://" + address + provider.MediaPath + strings.Repeat("A", 43))
	check(t, err)
	defer response.Body.Close()
	read, err := io.Copy(io.Discard, response.Body)
	if err != nil || read != size || response.ContentLength != size {
		t.Errorf("read %d of %d bytes: %v", read, response.ContentLength, err)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("%d bytes were allocated for %d", grown, read)
	}
	check(t, stop())
}

func FuzzMediaPath(f *testing.F) {
	p, dir := host(f)
	content := []byte("ciphertext of some length")
	reference := put(f, p, content)
	check(f, os.WriteFile(filepath.Join(filepath.Dir(dir), "outside"), []byte("secret"), 0o600))
	f.Add(reference, "")
	f.Add(reference, "bytes=3-7")
	f.Add(reference, "bytes=0-0,1-1,0-24,-1")
	f.Add(reference, "bytes=9223372036854775807-9223372036854775807")
	f.Add(reference+"\n", "bytes=-")
	f.Add("../outside", "")
	f.Add(strings.Repeat("A", 42)+"B", "")
	stranger := request(p, "GET", "/").Body.Bytes()
	f.Fuzz(func(t *testing.T, text, ranges string) {
		if parsed, err := provider.ParseMediaReference(text); err == nil && parsed.String() != text {
			t.Errorf("%q is taken for %s", text, parsed)
		}
		r := httptest.NewRequest("GET", "http://partner.example.org/", nil)
		r.URL.Path = provider.MediaPath + text
		r.Header.Set("Range", ranges)
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		switch {
		case text != reference:
			if w.Code != http.StatusNotFound || !bytes.Equal(w.Body.Bytes(), stranger) {
				t.Errorf("%q: status %d, %q", text, w.Code, w.Body)
			}
		case w.Code == http.StatusOK:
			if !bytes.Equal(w.Body.Bytes(), content) {
				t.Errorf("%q: got %q", ranges, w.Body)
			}
		case w.Code == http.StatusPartialContent:
			if !strings.HasPrefix(w.Header().Get("Content-Type"), "multipart/") && !bytes.Contains(content, w.Body.Bytes()) {
				t.Errorf("%q: got %q", ranges, w.Body)
			}
		case w.Code != http.StatusRequestedRangeNotSatisfiable:
			t.Errorf("%q: status %d", ranges, w.Code)
		}
	})
}
