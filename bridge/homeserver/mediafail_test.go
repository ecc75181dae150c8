package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
)

func TestRefusedUploadIsTheHomeserversAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		code   string
		want   error
	}{
		"too large": {413, "M_TOO_LARGE", mautrix.MTooLarge},
		"too many":  {429, "M_LIMIT_EXCEEDED", mautrix.MLimitExceeded},
		"forbidden": {403, "M_FORBIDDEN", mautrix.MForbidden},
		"broken":    {502, "M_UNKNOWN", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			requests := make(chan struct{}, 10)
			s.setMedia(func(w http.ResponseWriter, r *http.Request) {
				requests <- struct{}{}
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(test.status)
				fmt.Fprintf(w, `{"errcode":%q,"error":"no"}`, test.code)
			})
			_, err := s.connector.UploadMedia(context.Background(), strings.NewReader("hello"), 5)
			if !isStatus(err, test.status) || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("error %v, want %d %s", err, test.status, test.code)
			}
			if len(requests) != 1 {
				t.Errorf("%d requests: a stream cannot be sent twice", len(requests))
			}
		})
	}
}

func TestUploadThatIsRefusedInTheMiddleDoesNotTouchTheFileAnyMore(t *testing.T) {
	s := newStack(t)
	s.setMedia(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	source := &watchedReader{}
	_, err := s.connector.UploadMedia(context.Background(), source, 1<<40) // over no limit that is known
	source.over = true                                                     // the race detector sees a read at the same time
	if err == nil {
		t.Error("the upload was taken")
	}
}

// watchedReader never ends.
type watchedReader struct{ over bool }

func (r *watchedReader) Read(p []byte) (int, error) {
	if r.over {
		panic("the file is read after its upload")
	}
	return len(p), nil
}

func TestUploadLimitIsTheHomeservers(t *testing.T) {
	s := newStack(t)
	if got := s.connector.MaxUpload(); got != 1<<50 {
		t.Errorf("the limit is %d", got)
	}
	setConfig := func(config string) {
		s.fake.lock.Lock()
		defer s.fake.lock.Unlock()
		s.fake.mediaConfig = config
	}
	setConfig(`{"m.upload.size":4}`)
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(413) // as a proxy says it
	})
	upload := func() error {
		_, err := s.connector.UploadMedia(context.Background(), strings.NewReader("hello"), 5)
		return err
	}
	if err := upload(); !isStatus(err, 413) || s.connector.MaxUpload() != 4 {
		t.Errorf("error %v, then the limit is %d", err, s.connector.MaxUpload())
	}
	// What is known to be too large is not sent.
	took := s.takeUploads()
	if err := upload(); !errors.Is(err, mautrix.MTooLarge) || len(took) > 0 {
		t.Errorf("error %v, %d uploads", err, len(took))
	}
	// The administrator raised the limit meanwhile.
	setConfig(`{"m.upload.size":5}`)
	if err := upload(); err != nil || s.connector.MaxUpload() != 5 {
		t.Errorf("error %v, then the limit is %d", err, s.connector.MaxUpload())
	}
	setConfig(`{}`)
	if _, err := s.connector.UploadMedia(context.Background(), strings.NewReader("longer"), 6); err != nil || s.connector.MaxUpload() != 100<<20 {
		t.Errorf("error %v, then the limit is %d", err, s.connector.MaxUpload())
	}
}

func TestHomeserverThatStallsIsGivenUp(t *testing.T) {
	s := newStack(t)
	s.connector.SetMediaStall(50 * time.Millisecond)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, 10))
			w.(http.Flusher).Flush()
		}
		<-release
	})
	if _, err := s.connector.UploadMedia(context.Background(), strings.NewReader("hello"), 5); !errors.Is(err, homeserver.ErrStalled) || !homeserver.MayHeal(err) {
		t.Errorf("upload: error %v", err)
	}
	reader, err := s.connector.OpenMedia(context.Background(), goodFile())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if n, err := io.Copy(io.Discard, reader); n != 10 || !errors.Is(err, homeserver.ErrStalled) || errors.Is(err, homeserver.ErrMediaBroken) {
		t.Errorf("download: %d bytes, error %v", n, err)
	}
}

func TestStopEndsTransfers(t *testing.T) {
	s := newStack(t)
	begun := make(chan struct{})
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	ended := make(chan error)
	go func() {
		_, err := s.connector.UploadMedia(context.Background(), zeroes{}, 1<<40)
		ended <- err
	}()
	<-begun
	s.connector.Interrupt()
	if err := <-ended; err == nil {
		t.Error("the upload succeeded")
	}
}

// serve lets the homeserver have a file, and returns what an event tells of it.
func (s *stack) serve(plain []byte, change func(w http.ResponseWriter, ciphertext []byte) []byte) *event.EncryptedFileInfo {
	keys := attachment.NewEncryptedFile()
	ciphertext := append([]byte(nil), plain...)
	keys.EncryptInPlace(ciphertext)
	s.setMedia(func(w http.ResponseWriter, r *http.Request) {
		sent := ciphertext
		if change != nil {
			sent = change(w, append([]byte(nil), ciphertext...))
		}
		_, _ = w.Write(sent)
	})
	return &event.EncryptedFileInfo{EncryptedFile: attachment.EncryptedFile{
		Key: keys.Key, InitVector: keys.InitVector, Hashes: keys.Hashes, Version: keys.Version,
	}, URL: "mxc://example.org/media_id"}
}

func (s *stack) download(file *event.EncryptedFileInfo) ([]byte, error) {
	reader, err := s.connector.OpenMedia(context.Background(), file)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return io.ReadAll(reader)
}

func TestFileIsDownloadedAndDecrypted(t *testing.T) {
	for _, size := range []int{0, 1, 100_000} {
		s := newStack(t)
		plain := randomBytes(size)
		if got, err := s.download(s.serve(plain, nil)); err != nil || string(got) != string(plain) {
			t.Errorf("%d bytes: got %d, error %v", size, len(got), err)
		}
	}
}

func TestFileThatIsNotWhatWasSentIsBroken(t *testing.T) {
	plain := randomBytes(100_000)
	for name, test := range map[string]struct {
		change func(w http.ResponseWriter, ciphertext []byte) []byte
		want   error
	}{
		"flipped bit": {func(_ http.ResponseWriter, c []byte) []byte { c[50_000] ^= 1; return c }, homeserver.ErrMediaBroken},
		"longer":      {func(_ http.ResponseWriter, c []byte) []byte { return append(c, 0) }, homeserver.ErrMediaBroken},
		"shorter":     {func(_ http.ResponseWriter, c []byte) []byte { return c[:99_999] }, homeserver.ErrMediaBroken},
		"nothing":     {func(http.ResponseWriter, []byte) []byte { return nil }, homeserver.ErrMediaBroken},
		"cut off": {func(w http.ResponseWriter, c []byte) []byte {
			w.Header().Set("Content-Length", "100000")
			return c[:50_000]
		}, io.ErrUnexpectedEOF},
		"too many requests, as Dendrite says it": {func(w http.ResponseWriter, _ []byte) []byte {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			return []byte(`{"Code":429}`)
		}, homeserver.ErrNotTheFile},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			got, err := s.download(s.serve(plain, test.change))
			if !errors.Is(err, test.want) {
				t.Errorf("got %d bytes, error %v, want %v", len(got), err, test.want)
			}
			if broken := errors.Is(err, homeserver.ErrMediaBroken); broken != (test.want != homeserver.ErrNotTheFile) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestOldHomeserversAreAskedWithoutAuthentication(t *testing.T) {
	for name, body := range map[string]string{"Matrix": `{"errcode":"M_UNRECOGNIZED","error":"x"}`, "proxy": "404 page not found"} {
		s := newStack(t)
		file := s.serve([]byte("hello"), nil)
		serve := s.fake.media
		s.setMedia(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/_matrix/media/v3/download/example.org/media_id" {
				serve(w, r)
				return
			}
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, body)
		})
		if got, err := s.download(file); string(got) != "hello" || err != nil {
			t.Errorf("%s: got %q, error %v", name, got, err)
		}
	}
}

func TestDownloadErrorsAreToldApart(t *testing.T) {
	answer := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://elsewhere.example/file")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"errcode":%q,"error":"x"}`, code)
		}
	}
	s := newStack(t)
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   error
		status int
	}{
		"missing":      {answer(404, "M_NOT_FOUND"), homeserver.ErrMediaMissing, 404},
		"unrecognized": {answer(404, "M_UNRECOGNIZED"), mautrix.MUnrecognized, 404},
		"forbidden":    {answer(403, "M_FORBIDDEN"), mautrix.MForbidden, 403},
		"out of order": {answer(502, "M_BAD_GATEWAY"), nil, 502},
		"redirected":   {answer(307, ""), homeserver.ErrRedirected, 307},
	} {
		s.setMedia(test.answer)
		_, err := s.download(goodFile())
		if !isStatus(err, test.status) || (test.want != nil && !errors.Is(err, test.want)) {
			t.Errorf("%s: error %v", name, err)
		}
		if errors.Is(err, homeserver.ErrMediaMissing) != (name == "missing") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestImpossibleFilesAreNotAskedFor(t *testing.T) {
	s := newStack(t)
	s.setMedia(func(http.ResponseWriter, *http.Request) { t.Error("the homeserver was asked") })
	for name, change := range map[string]func(file *event.EncryptedFileInfo){
		"no address":     func(file *event.EncryptedFileInfo) { file.URL = "" },
		"other address":  func(file *event.EncryptedFileInfo) { file.URL = "https://example.org/x" },
		"path":           func(file *event.EncryptedFileInfo) { file.URL = "mxc://example.org/../x" },
		"dots":           func(file *event.EncryptedFileInfo) { file.URL = "mxc://../x" },
		"dotted id":      func(file *event.EncryptedFileInfo) { file.URL = "mxc://example.org/.." },
		"query":          func(file *event.EncryptedFileInfo) { file.URL = "mxc://example.org/x?y=z" },
		"version":        func(file *event.EncryptedFileInfo) { file.Version = "v1" },
		"algorithm":      func(file *event.EncryptedFileInfo) { file.Key.Algorithm = "A128CTR" },
		"no key":         func(file *event.EncryptedFileInfo) { file.Key.Key = "" },
		"not base64":     func(file *event.EncryptedFileInfo) { file.Key.Key = strings.Repeat("!", 43) },
		"line break":     func(file *event.EncryptedFileInfo) { file.InitVector = file.InitVector[:20] + "\r\n" },
		"short iv":       func(file *event.EncryptedFileInfo) { file.InitVector = "AAAA" },
		"no hash":        func(file *event.EncryptedFileInfo) { file.Hashes.SHA256 = "" },
		"impossible one": func(file *event.EncryptedFileInfo) { file.Hashes.SHA256 = strings.Repeat("?", 43) },
	} {
		file := goodFile()
		change(file)
		if _, err := s.connector.OpenMedia(context.Background(), file); !errors.Is(err, homeserver.ErrMediaInvalid) {
			t.Errorf("%s: error %v", name, err)
		} else if strings.Contains(err.Error(), file.Key.Key) && file.Key.Key != "" {
			t.Errorf("%s: the error has the key", name)
		}
	}
	if _, err := s.connector.OpenMedia(context.Background(), nil); !errors.Is(err, homeserver.ErrMediaInvalid) {
		t.Errorf("no file: error %v", err)
	}
}
