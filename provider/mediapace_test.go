package provider_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postern/provider"
)

// slowClient is a connection that takes some time for each write, and breaks when its deadline is over.
type slowClient struct {
	httptest.ResponseRecorder
	takes    func(write int) time.Duration
	deadline time.Time
	writes   int
}

func (c *slowClient) SetWriteDeadline(at time.Time) error { c.deadline = at; return nil }

func (c *slowClient) Write(data []byte) (int, error) {
	time.Sleep(c.takes(c.writes)) // of the bubble's clock
	if c.writes++; !time.Now().Before(c.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	return c.ResponseRecorder.Write(data)
}

func TestSlowClientsAreServedAndStuckOnesAreNot(t *testing.T) {
	const size = 4 << 20 // 128 writes
	keys := sharedKeys()
	for name, test := range map[string]struct {
		takes func(write int) time.Duration
		whole bool
	}{
		"fast":                     {func(int) time.Duration { return 0 }, true},
		"four minutes in all":      {func(int) time.Duration { return 1900 * time.Millisecond }, true},
		"a pause":                  {func(write int) time.Duration { return time.Duration(write/127) * 29 * time.Second }, true},
		"stuck at the start":       {func(int) time.Duration { return 30 * time.Second }, false},
		"stuck at the end":         {func(write int) time.Duration { return time.Duration(write/127) * 30 * time.Second }, false},
		"a little every 3 seconds": {func(int) time.Duration { return 3 * time.Second }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := options(t, keys)
				o.Media, o.MaxMedia = giant{size: size}, size
				p, err := provider.New(t.Context(), o)
				check(t, err)
				client := &slowClient{ResponseRecorder: *httptest.NewRecorder(), takes: test.takes}
				p.Handler().ServeHTTP(client, httptest.NewRequest("GET", provider.MediaPath+strings.Repeat("A", 43), nil))
				if whole := client.Body.Len() == size; whole != test.whole {
					t.Errorf("got %d of %d bytes", client.Body.Len(), size)
				}
			})
		})
	}
}

// dutiful is a store whose files cannot be read once the request's context has ended, like one in the network.
type dutiful struct{ giant }

type dutifulFile struct {
	io.ReadSeekCloser
	ctx context.Context
}

func (d dutiful) Open(ctx context.Context, reference provider.MediaReference) (io.ReadSeekCloser, error) {
	file, err := d.giant.Open(ctx, reference)
	return dutifulFile{file, ctx}, err
}

func (f dutifulFile) Read(into []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	return f.ReadSeekCloser.Read(into)
}

// oneCaller is a listener with one connection, in memory.
type oneCaller struct {
	silence
	connections chan net.Conn
}

func (l oneCaller) Accept() (net.Conn, error) {
	select {
	case connection := <-l.connections:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// TestTimeoutsOfTheListenerDoNotCutFilesOff: the listener allows ten seconds for a request and ten for its answer.
func TestTimeoutsOfTheListenerDoNotCutFilesOff(t *testing.T) {
	const size = 1 << 20
	keys := sharedKeys()
	synctest.Test(t, func(t *testing.T) {
		o := options(t, keys)
		o.Media, o.MaxMedia = dutiful{giant{size: size}}, size
		p, err := provider.New(t.Context(), o)
		check(t, err)
		listener := oneCaller{silence{make(chan struct{})}, make(chan net.Conn, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(ctx, listener) }()
		here, there := net.Pipe()
		defer here.Close()
		listener.connections <- there
		_, err = io.WriteString(here, "GET "+provider.MediaPath+strings.Repeat("A", 43)+" HTTP/1.1\r\nHost: x\r\n\r\n")
		check(t, err)
		response, err := http.ReadResponse(bufio.NewReader(here), nil)
		check(t, err)
		start, read := time.Now(), int64(0)
		for err == nil {
			var n int64
			n, err = io.CopyN(io.Discard, response.Body, 32<<10)
			read += n
			time.Sleep(time.Second) // of the bubble's clock
		}
		if took := time.Since(start); err != io.EOF || read != size || took < 30*time.Second {
			t.Errorf("read %d bytes in %v: %v", read, took, err)
		}
		cancel()
		check(t, <-ended)
	})
}

func TestTimeoutsOfTheListenerDoNotCutFilesOffOverHTTP2(t *testing.T) {
	const size = 1 << 20
	keys := sharedKeys()
	synctest.Test(t, func(t *testing.T) {
		o := options(t, keys)
		o.Media, o.MaxMedia = dutiful{giant{size: size}}, size
		p, err := provider.New(t.Context(), o)
		check(t, err)
		listener := oneCaller{silence{make(chan struct{})}, make(chan net.Conn, 1)}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Serve(ctx, listener) }()
		here, there := net.Pipe()
		listener.connections <- there
		var protocols http.Protocols
		protocols.SetUnencryptedHTTP2(true)
		transport := &http.Transport{
			Protocols:   &protocols,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return here, nil },
			// So that the file does not fit into the client's buffers.
			HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 64 << 10},
		}
		response, err := (&http.Client{Transport: transport}).Get("http://x" + provider.MediaPath + strings.Repeat("A", 43))
		check(t, err)
		start, read := time.Now(), int64(0)
		for err == nil {
			var n int64
			n, err = io.CopyN(io.Discard, response.Body, 32<<10)
			read += n
			time.Sleep(time.Second) // of the bubble's clock
		}
		if took := time.Since(start); err != io.EOF || read != size || took < 30*time.Second || response.ProtoMajor != 2 {
			t.Errorf("read %d bytes in %v over HTTP/%d: %v", read, took, response.ProtoMajor, err)
		}
		check(t, response.Body.Close())
		transport.CloseIdleConnections()
		cancel()
		check(t, <-ended)
	})
}

// hesitant is a store that takes its time before it opens a file, like one in the network.
type hesitant struct {
	giant
	takes time.Duration
}

func (h hesitant) Open(ctx context.Context, reference provider.MediaReference) (io.ReadSeekCloser, error) {
	time.Sleep(h.takes) // of the bubble's clock
	return h.giant.Open(ctx, reference)
}

func TestStoreMayTakeHalfAMinuteToOpenAFile(t *testing.T) {
	const size = 100_000
	keys := sharedKeys()
	for _, version := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			o := options(t, keys)
			o.Media, o.MaxMedia = hesitant{giant{size: size}, 30 * time.Second}, size
			p, err := provider.New(t.Context(), o)
			check(t, err)
			listener := oneCaller{silence{make(chan struct{})}, make(chan net.Conn, 1)}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Serve(ctx, listener) }()
			here, there := net.Pipe()
			listener.connections <- there
			var protocols http.Protocols
			protocols.SetHTTP1(version == 1)
			protocols.SetUnencryptedHTTP2(version == 2)
			transport := &http.Transport{
				Protocols:   &protocols,
				DialContext: func(context.Context, string, string) (net.Conn, error) { return here, nil },
			}
			response, err := (&http.Client{Transport: transport}).Get("http://x" + provider.MediaPath + strings.Repeat("A", 43))
			check(t, err)
			read, err := io.Copy(io.Discard, response.Body)
			if err != nil || read != size || response.ProtoMajor != version {
				t.Errorf("read %d bytes over HTTP/%d: %v", read, response.ProtoMajor, err)
			}
			check(t, response.Body.Close())
			transport.CloseIdleConnections()
			cancel()
			check(t, <-ended)
		})
	}
}
