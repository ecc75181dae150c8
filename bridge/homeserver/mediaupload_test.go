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
