package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/interop"
)

const secretPath = "/v/t62.7118-24/secret_n.enc?oh=01_token"

// mediaHost is a media host and a client that fetches from it.
type mediaHost struct {
	*httptest.Server
	client *interop.Client
	clock  *fakeClock
	base   *url.URL
}

func newMediaHost(t *testing.T, answer http.HandlerFunc) *mediaHost {
	t.Helper()
	host := &mediaHost{Server: httptest.NewServer(answer), clock: newFakeClock()}
	t.Cleanup(host.Close)
	var err error
	if host.base, err = url.Parse(host.URL); err != nil {
		t.Fatal(err)
	}
	host.client = interop.NewClient(interop.Options{
		Gatekeeper: &interop.Gatekeeper{MediaURL: host.base}, Clock: host.clock, HTTPClient: host.Client(),
		Account: interop.Account{Keys: interop.NewKeys()},
	})
	return host
}

// fetch downloads a file and checks that no error gives away where it is.
func (h *mediaHost) fetch(t *testing.T, ctx context.Context, media *interop.Media) ([]byte, error) {
	t.Helper()
	body, err := h.client.Download(ctx, media, noLimit)
	var data []byte
	if err == nil {
		data, err = io.ReadAll(body)
		if closeErr := body.Close(); closeErr != nil {
			t.Errorf("close: %v", closeErr)
		}
	}
	if err != nil && (strings.Contains(err.Error(), "secret_n") || strings.Contains(err.Error(), "token")) {
		t.Errorf("the address is in the error: %v", err)
	}
	return data, err
}

func secretMedia(tb testing.TB, size int) ([]byte, []byte, *interop.Media) {
	tb.Helper()
	plain := randomBytes(size)
	file, media := otherEncrypt(tb, plain, interop.MediaImage)
	media.DirectPath = secretPath
	return plain, file, media
}

func TestFileIsDownloaded(t *testing.T) {
	for _, size := range []int{0, 1000, 1 << 20} {
		plain, file, media := secretMedia(t, size)
		for name, flush := range map[string]bool{"with length": false, "chunked": true} {
			host := newMediaHost(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.URL.RequestURI(); got != "/base"+secretPath || r.Method != http.MethodGet || r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("asked for %s %s, %v", r.Method, got, r.Header)
				}
				if flush {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(file)
			})
			host.base.Path = "/base/"
			if got, err := host.fetch(t, context.Background(), media); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes, %s: got %d, %v", size, name, len(got), err)
			}
		}
	}
}

func TestMediaHostRefuses(t *testing.T) {
	for status, want := range map[int]error{
		404: interop.ErrMediaMissing, 403: interop.ErrMediaMissing, 410: interop.ErrMediaMissing,
		204: interop.ErrMediaUnavailable, 206: interop.ErrMediaUnavailable, 401: interop.ErrMediaUnavailable,
		429: interop.ErrMediaUnavailable, 500: interop.ErrMediaUnavailable, 503: interop.ErrMediaUnavailable,
	} {
		_, _, media := secretMedia(t, 10)
		host := newMediaHost(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if _, err := host.fetch(t, context.Background(), media); !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", status, err, want)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	_, file, media := secretMedia(t, 10)
	host := newMediaHost(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			t.Error("the redirect was followed")
			_, _ = w.Write(file)
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	if _, err := host.fetch(t, context.Background(), media); !errors.Is(err, interop.ErrMediaUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsAskedForWhatCannotBe(t *testing.T) {
	host := newMediaHost(t, func(http.ResponseWriter, *http.Request) { t.Error("the media host was asked") })
	for name, test := range map[string]struct {
		media interop.Media
		want  error
	}{
		"too large":       {interop.Media{DirectPath: "/x", Length: 101}, interop.ErrMediaTooLarge},
		"negative length": {interop.Media{DirectPath: "/x", Length: -1}, interop.ErrMediaInvalid},
		"no path":         {interop.Media{}, interop.ErrMediaInvalid},
		"another host":    {interop.Media{DirectPath: "//evil.example/x"}, interop.ErrMediaInvalid},
	} {
		if _, err := host.client.Download(context.Background(), &test.media, 100); !errors.Is(err, test.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	nowhere := interop.NewClient(interop.Options{Gatekeeper: &interop.Gatekeeper{}, Account: interop.Account{Keys: interop.NewKeys()}})
	if _, err := nowhere.Download(context.Background(), &interop.Media{DirectPath: "/x"}, 100); !errors.Is(err, interop.ErrMediaUnavailable) {
		t.Errorf("without a media host: got %v", err)
	}
}

func TestWrongContentLengthIsSeenAtOnce(t *testing.T) {
	plain, file, media := secretMedia(t, 1000)
	for _, size := range []int{0, len(plain), len(file) - 1, len(file) + 1, len(file) + 16, 1 << 20} {
		host := newMediaHost(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = w.Write(make([]byte, size))
		})
		body, err := host.client.Download(context.Background(), media, noLimit)
		if body != nil || !errors.Is(err, interop.ErrMediaBroken) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}

func TestDamageIsFoundWhileDownloading(t *testing.T) {
	_, file, media := secretMedia(t, 1000)
	file[500] ^= 1
	host := newMediaHost(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) })
	if _, err := host.fetch(t, context.Background(), media); !errors.Is(err, interop.ErrMediaBroken) {
		t.Errorf("got %v", err)
	}
}

// TestConnectionTrouble is about what may be better next time.
func TestConnectionTrouble(t *testing.T) {
	_, file, media := secretMedia(t, 200_000)
	for name, answer := range map[string]http.HandlerFunc{
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"breaks in the middle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(file)))
			_, _ = w.Write(file[:100_000])
			panic(http.ErrAbortHandler)
		},
		"breaks in the middle, chunked": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(file[:100_000])
			panic(http.ErrAbortHandler)
		},
	} {
		if _, err := newMediaHost(t, answer).fetch(t, context.Background(), media); !errors.Is(err, interop.ErrMediaUnavailable) || errors.Is(err, interop.ErrMediaBroken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	host := newMediaHost(t, nil)
	host.Close()
	if _, err := host.fetch(t, context.Background(), media); !errors.Is(err, interop.ErrMediaUnavailable) {
		t.Errorf("nobody there: got %v", err)
	}
}

// TestStalledMediaHost has the host fall silent before its answer, and in the middle of the file.
func TestStalledMediaHost(t *testing.T) {
	_, file, media := secretMedia(t, 200_000)
	for name, sent := range map[string]int{"before the answer": -1, "after the header": 0, "in the middle": 100_000} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			host := newMediaHost(t, func(w http.ResponseWriter, r *http.Request) {
				if sent >= 0 {
					w.Header().Set("Content-Length", fmt.Sprint(len(file)))
					_, _ = w.Write(file[:sent])
					w.(http.Flusher).Flush()
				}
				<-release
			})
			t.Cleanup(func() { close(release) })
			ended := make(chan error, 1)
			go func() {
				_, err := host.fetch(t, context.Background(), media)
				ended <- err
			}()
			for {
				select {
				case <-host.clock.armed: // every wait for the host has a timer of its own
					host.clock.advance(30 * time.Second)
				case err := <-ended:
					if !errors.Is(err, interop.ErrMediaUnavailable) {
						t.Errorf("got %v", err)
					}
					return
				case <-time.After(patience):
					t.Fatal("still waits for the host")
				}
			}
		})
	}
}

func TestSlowReaderIsNotTheHostsFault(t *testing.T) {
	plain, file, media := secretMedia(t, 200_000)
	host := newMediaHost(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) })
	body, err := host.client.Download(context.Background(), media, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	var got []byte
	for part := make([]byte, 50_000); ; {
		n, err := body.Read(part)
		got = append(got, part[:n]...)
		host.clock.advance(time.Hour)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, plain) {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestDownloadEndsWithItsContext(t *testing.T) {
	_, file, media := secretMedia(t, 200_000)
	ctx, cancel := context.WithCancel(context.Background())
	host := newMediaHost(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(file[:100_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	body, err := host.client.Download(ctx, media, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	if _, err = io.ReadFull(body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err = io.ReadAll(body); !errors.Is(err, context.Canceled) || errors.Is(err, interop.ErrMediaUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err = host.client.Download(ctx, media, noLimit); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: got %v", err)
	}
}

// TestCloseEndsTheDownload gives up a file in the middle: the host sees it.
func TestCloseEndsTheDownload(t *testing.T) {
	_, file, media := secretMedia(t, 200_000)
	ended := make(chan struct{})
	host := newMediaHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(file)))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		close(ended)
	})
	body, err := host.client.Download(context.Background(), media, noLimit)
	if err != nil {
		t.Fatal(err)
	}
	if err = body.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the host still waits")
	}
}
