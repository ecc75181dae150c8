package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
)

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
