package homeserver_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
)

// uploads is a media repository that keeps what it got.
type uploads struct {
	body   []byte
	whole  bool // the request ended properly
	length int64
	header http.Header
	path   string
	query  string
}

func (s *stack) setMedia(handler http.HandlerFunc) {
	s.fake.lock.Lock()
	defer s.fake.lock.Unlock()
	s.fake.media = handler
}

// takeUploads lets the homeserver take files. A request is on the channel when the homeserver is done with it.
func (s *stack) takeUploads() <-chan uploads {
	took := make(chan uploads, 10)
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		took <- uploads{body: body, whole: err == nil, length: r.ContentLength, header: r.Header, path: r.URL.Path, query: r.URL.RawQuery}
		fmt.Fprint(w, `{"content_uri":"mxc://example.org/file"}`)
	})
	return took
}

func randomBytes(size int) []byte {
	data := make([]byte, size)
	rand.Read(data)
	return data
}

// slowReader gives a few bytes at a time, and the end by itself.
type slowReader struct{ data []byte }

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1000)], r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestFileIsUploadedEncryptedWithItsLengthAndNothingElse(t *testing.T) {
	for _, size := range []int{0, 1, 999, 100_000} {
		s := newStack(t)
		took := s.takeUploads()
		plain := randomBytes(size)
		file, err := s.connector.UploadMedia(context.Background(), &slowReader{plain}, int64(size))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got := <-took
		if got.path != "/_matrix/media/v3/upload" || strings.Contains(got.query, "filename") || got.length != int64(size) ||
			got.header.Get("Content-Type") != "application/octet-stream" || got.header.Get("Authorization") != "Bearer "+asTok {
			t.Errorf("%d bytes: uploaded to %s?%s with %v and length %d", size, got.path, got.query, got.header, got.length)
		}
		if size > 30 && string(got.body[:30]) == string(plain[:30]) {
			t.Error("the file was not encrypted")
		}
		if hash := sha256.Sum256(got.body); file.Hashes.SHA256 != base64.RawStdEncoding.EncodeToString(hash[:]) {
			t.Errorf("%d bytes: the hash is %q", size, file.Hashes.SHA256)
		}
		if file.URL != "mxc://example.org/file" {
			t.Errorf("%d bytes: the file is at %s", size, file.URL)
		}
		copied := &attachment.EncryptedFile{Key: file.Key, InitVector: file.InitVector, Hashes: file.Hashes, Version: file.Version}
		decrypted := bytes.Clone(got.body)
		if err := copied.DecryptInPlace(decrypted); err != nil || string(decrypted) != string(plain) {
			t.Errorf("%d bytes: decrypting what was uploaded: %v", size, err)
		}
	}
}

func TestFileThatCannotBeReadIsNotUploadedWhole(t *testing.T) {
	errDisk := errors.New("the source broke")
	data := randomBytes(200_000)
	for name, test := range map[string]struct {
		plain io.Reader
		want  error
	}{
		"fails":             {io.MultiReader(&slowReader{data[:100_000]}, errorReader{errDisk}), errDisk},
		"fails at the end":  {io.MultiReader(&slowReader{data}, errorReader{errDisk}), errDisk},
		"fails at once":     {errorReader{errDisk}, errDisk},
		"too short":         {&slowReader{data[:199_999]}, homeserver.ErrMediaLength},
		"too long":          {&slowReader{append(data, 1)}, homeserver.ErrMediaLength},
		"nothing":           {&slowReader{nil}, homeserver.ErrMediaLength},
		"only zero, nil":    {io.MultiReader(&slowReader{data}, &emptyReads{}, errorReader{errDisk}), errDisk},
		"cancelled by plan": {errorReader{context.Canceled}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			took := s.takeUploads()
			file, err := s.connector.UploadMedia(context.Background(), test.plain, int64(len(data)))
			if !errors.Is(err, test.want) || file != nil {
				t.Errorf("got %v, error %v, want %v", file, err, test.want)
			}
			s.bridge.ExternallyManagedDB = true
			s.bridge.Stop()       // and so the bot's sync
			s.fake.server.Close() // waits until the homeserver is done with the file
			select {
			case got := <-took:
				if got.whole || len(got.body) >= len(data) {
					t.Errorf("the homeserver has %d bytes, ended properly: %v", len(got.body), got.whole)
				}
			default: // broken off so soon that it is no request
			}
		})
	}
}

// errorReader fails.
type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// emptyReads gives nothing a few times.
type emptyReads struct{ times int }

func (r *emptyReads) Read([]byte) (int, error) {
	if r.times++; r.times > 3 {
		return 0, io.EOF
	}
	return 0, nil
}

func TestEmptyFileThatIsNotEmptyIsNotUploaded(t *testing.T) {
	s := newStack(t)
	took := s.takeUploads()
	for _, size := range []int64{0, -1} {
		if _, err := s.connector.UploadMedia(context.Background(), strings.NewReader("x"), size); !errors.Is(err, homeserver.ErrMediaLength) {
			t.Errorf("length %d: error %v", size, err)
		}
	}
	if len(took) > 0 {
		t.Error("the homeserver was asked to take it")
	}
}

// TestFilesAreNotKeptInMemory counts what both ways allocate, which is far below the size of the file.
func TestFilesAreNotKeptInMemory(t *testing.T) {
	const size, limit = 64 << 20, 8 << 20
	s := newStack(t)
	stored := 0
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.Copy(w, io.LimitReader(zeroes{}, size))
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		stored += int(n)
		fmt.Fprint(w, `{"content_uri":"mxc://example.org/file"}`)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	file, err := s.connector.UploadMedia(context.Background(), io.LimitReader(zeroes{}, size), size)
	if err != nil || stored != size {
		t.Fatalf("%d bytes stored, error %v", stored, err)
	}
	reader, err := s.connector.OpenMedia(context.Background(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	n, err := io.Copy(io.Discard, reader)
	if n != size || !errors.Is(err, homeserver.ErrMediaBroken) { // zeroes are not its ciphertext
		t.Errorf("read %d bytes, error %v", n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > limit {
		t.Errorf("%d bytes were allocated for a file of %d", used, size)
	}
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func FuzzParseMedia(f *testing.F) {
	good, _ := json.Marshal(goodFile())
	f.Add(good)
	f.Add([]byte(`{"url":"mxc://../..","key":{"k":"","alg":"A256CTR"},"v":"v2"}`))
	f.Add([]byte(strings.Replace(string(good), "media_id", "a/../b", 1)))
	f.Add([]byte(strings.Replace(string(good), "A256CTR", "A128CTR", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var file event.EncryptedFileInfo
		if json.Unmarshal(data, &file) != nil {
			return
		}
		uri, err := homeserver.ParseMedia(&file)
		if err != nil {
			if !errors.Is(err, homeserver.ErrMediaInvalid) {
				t.Errorf("error %v", err)
			}
			return
		}
		if strings.ContainsAny(uri.Homeserver+uri.FileID, "/\\?#%\r\n ") || strings.Trim(uri.Homeserver, ".") == "" || uri.FileID == "" {
			t.Errorf("%q was taken", uri)
		}
		if file.Version != "v2" || file.Key.Algorithm != "A256CTR" {
			t.Errorf("took %s %s", file.Version, file.Key.Algorithm)
		}
	})
}

// goodFile is what an event tells of an empty file.
func goodFile() *event.EncryptedFileInfo {
	keys := attachment.NewEncryptedFile()
	keys.EncryptInPlace(nil)
	return &event.EncryptedFileInfo{EncryptedFile: *keys, URL: "mxc://example.org/media_id"}
}
