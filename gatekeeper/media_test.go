package gatekeeper_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

func randomBytes(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

// described makes the part of a message that tells of an uploaded file.
func described(uploaded whatsmeow.UploadResponse) *waE2E.DocumentMessage {
	return &waE2E.DocumentMessage{
		URL: &uploaded.URL, DirectPath: &uploaded.DirectPath, MediaKey: uploaded.MediaKey,
		FileEncSHA256: uploaded.FileEncSHA256, FileSHA256: uploaded.FileSHA256, FileLength: &uploaded.FileLength,
	}
}

// uploadPath is where a client uploads a file to.
func uploadPath(kind, auth string, content []byte) string {
	hash := sha256.Sum256(content)
	token := base64.URLEncoding.EncodeToString(hash[:])
	return "/mms/" + kind + "/" + token + "?" + url.Values{"auth": {auth}, "token": {token}}.Encode()
}

// upload stores bytes as they are, and returns their direct path.
func (s *sandbox) upload(content []byte) (directPath string) {
	s.tb.Helper()
	response, err := http.Post(s.URL()+uploadPath("image", "sandbox", content), "", bytes.NewReader(content))
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		DirectPath string `json:"direct_path"`
	}
	if err = json.NewDecoder(response.Body).Decode(&answer); err != nil {
		s.tb.Fatalf("%s: %v", response.Status, err)
	}
	return answer.DirectPath
}

// fetch downloads as a partner does. The error is about reading the body.
func (s *sandbox) fetch(ctx context.Context, method, path string, header http.Header) (*http.Response, []byte, error) {
	s.tb.Helper()
	request, err := http.NewRequestWithContext(ctx, method, s.URL()+path, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response, content, err
}

func (s *sandbox) get(path string) (status int, content []byte) {
	s.tb.Helper()
	response, content, err := s.fetch(s.tb.Context(), "GET", path, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	return response.StatusCode, content
}

func TestWhatsmeowClientsExchangeFiles(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	for kind, name := range map[whatsmeow.MediaType]string{
		whatsmeow.MediaImage: "image", whatsmeow.MediaVideo: "video", whatsmeow.MediaAudio: "audio", whatsmeow.MediaDocument: "document",
	} {
		want := randomBytes(100_000)
		uploaded, err := bob.Upload(t.Context(), want, kind)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := carol.DownloadMediaWithPath(t.Context(), uploaded.DirectPath, uploaded.FileEncSHA256, uploaded.FileSHA256, uploaded.MediaKey, kind, "", false)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	up, down := s.waitSaw("media upload"), s.waitSaw("media download")
	if up.ID == "" || up.Size <= 100_000 || down.ID != up.ID || down.Size != up.Size {
		t.Errorf("the gatekeeper saw %+v and %+v", up, down)
	}
}

func TestALargeFileIsStreamedBothWays(t *testing.T) {
	_, bob, carol := bobAndCarol(t)
	want := randomBytes(20 << 20)
	uploaded, err := bob.UploadReader(t.Context(), bytes.NewReader(want), nil, whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "downloaded"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err = carol.DownloadToFile(t.Context(), described(uploaded), file); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
}

func TestAPartnerDownloadsAFileWholeOrInPart(t *testing.T) {
	s := start(t)
	want := randomBytes(1000)
	path := s.upload(want)
	response, content, err := s.fetch(t.Context(), "GET", path, nil)
	if err != nil || response.ContentLength != 1000 || response.Header.Get("Content-Type") != "application/octet-stream" || !bytes.Equal(content, want) {
		t.Errorf("whole: %+v, %d bytes, %v", response, len(content), err)
	}
	response, content, err = s.fetch(t.Context(), "HEAD", path, nil)
	if err != nil || response.ContentLength != 1000 || len(content) != 0 {
		t.Errorf("head: %+v, %d bytes, %v", response, len(content), err)
	}
	response, content, err = s.fetch(t.Context(), "GET", path, http.Header{"Range": {"bytes=900-"}})
	if err != nil || response.StatusCode != http.StatusPartialContent || !bytes.Equal(content, want[900:]) {
		t.Errorf("the end: %+v, %d bytes, %v", response, len(content), err)
	}
	plain, _, _ := strings.Cut(path, "?")
	for _, form := range []string{plain, plain + "&hash=x&mms-type=image&__wa-mms=", path + "&hash=x"} {
		if status, content := s.get(form); status != http.StatusOK || !bytes.Equal(content, want) {
			t.Errorf("%s: status %d", form, status)
		}
	}
}

func TestUploadsOfFilesAreRefused(t *testing.T) {
	s := start(t)
	const limit = 1 << 20
	s.SetMediaLimits(limit, patience)
	content := randomBytes(100)
	for name, test := range map[string]struct {
		path   string
		body   io.Reader
		status int
	}{
		"another kind":      {uploadPath("newsletter-image", "sandbox", content), bytes.NewReader(content), 404},
		"without leave":     {uploadPath("image", "stranger", content), bytes.NewReader(content), 401},
		"another file":      {uploadPath("image", "sandbox", content), bytes.NewReader(content[1:]), 400},
		"no hash":           {"/mms/image/x?auth=sandbox&token=x", bytes.NewReader(content), 400},
		"two hashes":        {uploadPath("image", "sandbox", content) + "x", bytes.NewReader(content), 400},
		"more than allowed": {uploadPath("image", "sandbox", content), io.LimitReader(zeros{}, limit+1), 413},
	} {
		response, err := http.Post(s.URL()+test.path, "", test.body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != test.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, test.status)
		}
	}
	if left := s.mediaFiles(); len(left) != 0 {
		t.Errorf("what was refused is kept as %v", left)
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// mediaFiles lists what is in the folder for media.
func (s *sandbox) mediaFiles() (names []string) {
	s.tb.Helper()
	entries, err := os.ReadDir(filepath.Join(filepath.Dir(s.config.Database), "media"))
	if err != nil {
		s.tb.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestAnUploadThatStandsStillIsGivenUp(t *testing.T) {
	s := start(t)
	s.SetMediaLimits(1<<20, patience/200)
	never, hold := io.Pipe()
	defer hold.Close()
	response, err := http.Post(s.URL()+uploadPath("image", "sandbox", nil), "", never)
	if err == nil {
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			t.Error("it was accepted")
		}
	}
	if left := s.mediaFiles(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestFilesAreKeptFor30Days(t *testing.T) {
	s := start(t)
	path := s.upload(randomBytes(100))
	const day = 24 * 60 * 60
	s.fault("clock", map[string]any{"offset_seconds": 29 * day})
	later := s.upload(randomBytes(100))
	if status, _ := s.get(path); status != http.StatusOK {
		t.Errorf("after 29 days: status %d", status)
	}
	s.fault("clock", map[string]any{"offset_seconds": 31 * day})
	if status, _ := s.get(path); status != http.StatusNotFound {
		t.Errorf("after 31 days: status %d", status)
	}
	if status, _ := s.get(later); status != http.StatusOK {
		t.Errorf("after two days: status %d", status)
	}
}

func TestFilesOutliveARestartButHalfOnesDoNot(t *testing.T) {
	s := start(t)
	path := s.upload(randomBytes(100))
	s.stop()
	half := filepath.Join(filepath.Dir(s.config.Database), "media", "HALF.part")
	if err := os.WriteFile(half, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.launch()
	if status, _ := s.get(path); status != http.StatusOK {
		t.Errorf("after a restart: status %d", status)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half a file: %v", err)
	}
}

func TestForgottenFilesAreGoneForWhatsmeow(t *testing.T) {
	s, bob, carol := bobAndCarol(t)
	uploaded, err := bob.Upload(t.Context(), randomBytes(100), whatsmeow.MediaDocument)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Files int }
	if s.control("DELETE", "/media", nil, &answer); answer.Files != 1 {
		t.Errorf("forgot %d files", answer.Files)
	}
	if _, err = carol.Download(t.Context(), described(uploaded)); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) {
		t.Errorf("got %v", err)
	}
}

// FuzzMediaPath asks for whatever a path can be. Only the file that is there may be found, and only a partner's reference
// may be asked for.
func FuzzMediaPath(f *testing.F) {
	s := start(f)
	content := []byte("the only file")
	path, _, _ := strings.Cut(s.upload(content), "?")
	known := strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".enc")
	for _, seed := range []string{
		path, path + "&hash=x", "/v/t/x.enc", "/v/t1/../../gatekeeper.db", "/v/t1/" + known + ".part.enc", "/v/t62/%2e%2e.enc",
		"/interop/whatsapp/download/7/abc/", "/interop/whatsapp/download/7/abc/&hash=x", "/interop/whatsapp/download/7/abc",
		"/interop/whatsapp/download/7/../keys/", "/interop/whatsapp/download/7/a%2Fb/", "/interop/messenger/download/7/abc/",
		"/interop/whatsapp/download/65536/abc/", "/interop/whatsapp/download/07/abc/", "/pictures/1", "/v/\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/v/") && !strings.HasPrefix(path, "/interop/") || len(path) > 1000 {
			return
		}
		before := len(s.partner.wasAsked())
		request := &http.Request{Method: "GET", Header: http.Header{}, URL: &url.URL{Scheme: "http", Host: strings.TrimPrefix(s.URL(), "http://"), Path: path}}
		response, err := http.DefaultTransport.RoundTrip(request.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		got, err := io.ReadAll(response.Body)
		switch {
		case err != nil || response.StatusCode >= 500:
			t.Fatalf("%s, %v", response.Status, err)
		case response.StatusCode == http.StatusOK && (!strings.Contains(path, known) || !bytes.Equal(got, content)):
			t.Fatalf("%q found %q", path, got)
		}
		for _, asked := range s.partner.wasAsked()[before:] {
			reference := strings.TrimPrefix(asked, "/media/")
			if !strings.HasPrefix(path, "/interop/whatsapp/download/7/"+reference) || strings.ContainsAny(reference, "/.?#%&") {
				t.Fatalf("%q made the partner be asked for %q", path, asked)
			}
		}
	})
}
