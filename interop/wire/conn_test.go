package wire_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/socket"

	"postern/interop/wire"
)

// authority is a root key and a server key certified by it.
type authority struct {
	root, server wire.KeyPair
	chain        []byte
}

func newAuthority(tb testing.TB) authority {
	tb.Helper()
	a := authority{root: wire.NewKeyPair(), server: wire.NewKeyPair()}
	now := time.Now()
	chain, err := wire.SignCertChain(a.root, wire.NewKeyPair(), a.server.Pub, now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	a.chain = chain
	return a
}

// accepted is what the server's end saw of one handshake.
type accepted struct {
	conn    *wire.Conn
	static  [32]byte
	payload []byte
	err     error
}

// serve runs a server that hands every handshake's outcome to the channel and keeps connections until the test's end.
func serve(tb testing.TB, a authority) (url string, handshakes chan accepted) {
	tb.Helper()
	handshakes = make(chan accepted, 16)
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, static, payload, err := wire.Accept(w, r, wire.ServerHandshake{Static: a.server, CertChain: a.chain})
		handshakes <- accepted{conn, static, payload, err}
		if err == nil {
			<-done
			_ = conn.Close(0)
		}
	}))
	tb.Cleanup(server.Close)
	tb.Cleanup(func() { close(done) })
	return strings.Replace(server.URL, "http", "ws", 1), handshakes
}

func payloadOf(data string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return []byte(data), nil }
}

// connect returns both ends of a new connection.
func connect(tb testing.TB) (client, server *wire.Conn) {
	tb.Helper()
	a := newAuthority(tb)
	url, handshakes := serve(tb, a)
	client, err := wire.Dial(context.Background(), url, nil, wire.ClientHandshake{
		Static: wire.NewKeyPair(), RootKey: a.root.Pub, Payload: payloadOf("login"),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close(0) })
	other := <-handshakes
	if other.err != nil {
		tb.Fatal(other.err)
	}
	return client, other.conn
}

func stanza(id string) waBinary.Node {
	return waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": id}, Content: []byte("body of " + id)}
}

func TestHandshakeTellsTheServerTheClientsKeyAndPayload(t *testing.T) {
	a := newAuthority(t)
	url, handshakes := serve(t, a)
	static := wire.NewKeyPair()
	login := strings.Repeat("x", wire.MaxLoginPayload)
	conn, err := wire.Dial(t.Context(), url, nil, wire.ClientHandshake{Static: static, RootKey: a.root.Pub, Payload: payloadOf(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(0)
	got := <-handshakes
	if got.err != nil || got.static != static.Pub || string(got.payload) != login {
		t.Errorf("server saw key %x, %d bytes of payload, error %v", got.static, len(got.payload), got.err)
	}
}

func TestDialRefuses(t *testing.T) {
	a := newAuthority(t)
	url, _ := serve(t, a)
	errNoToken := errors.New("no token")
	for name, test := range map[string]struct {
		change func(*wire.ClientHandshake)
		want   error
	}{
		"a server of another root":  {func(h *wire.ClientHandshake) { h.RootKey = wire.NewKeyPair().Pub }, wire.ErrUntrustedServer},
		"an expired certificate":    {func(h *wire.ClientHandshake) { h.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } }, wire.ErrUntrustedServer},
		"a certificate of tomorrow": {func(h *wire.ClientHandshake) { h.Now = func() time.Time { return time.Now().Add(-2 * time.Hour) } }, wire.ErrUntrustedServer},
		"a payload that cannot be made": {func(h *wire.ClientHandshake) {
			h.Payload = func(context.Context) ([]byte, error) { return nil, errNoToken }
		}, errNoToken},
		"a payload over the limit": {func(h *wire.ClientHandshake) {
			h.Payload = payloadOf(strings.Repeat("x", wire.MaxLoginPayload+1))
		}, wire.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			asked := false
			handshake := wire.ClientHandshake{Static: wire.NewKeyPair(), RootKey: a.root.Pub, Payload: func(context.Context) ([]byte, error) {
				asked = true
				return nil, nil
			}}
			test.change(&handshake)
			conn, err := wire.Dial(t.Context(), url, nil, handshake)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if conn != nil {
				t.Error("got a connection")
			}
			if asked {
				t.Error("the payload was made for a server that is not trusted")
			}
		})
	}
}

func TestNodesArriveInOrderFromManyWriters(t *testing.T) {
	client, server := connect(t)
	const writers, each = 8, 50
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				if err := client.WriteNode(t.Context(), stanza(fmt.Sprintf("%d-%d", w, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	next := make(map[int]int)
	for range writers * each {
		node, err := server.ReadNode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var w, i int
		if _, err = fmt.Sscanf(node.AttrGetter().String("id"), "%d-%d", &w, &i); err != nil || next[w] != i {
			t.Fatalf("got %v from writer %d, want number %d (%v)", node.Attrs, w, next[w], err)
		}
		next[w]++
	}
	group.Wait()
}

func TestWriteNodesSendsBatchesLargerThanOneMessage(t *testing.T) {
	client, server := connect(t)
	var batch []waBinary.Node
	for i := range 40 {
		batch = append(batch, waBinary.Node{Tag: "message", Content: bytes.Repeat([]byte{byte(i)}, 10_000)})
	}
	sent := make(chan error, 1)
	go func() { sent <- server.WriteNodes(t.Context(), batch...) }()
	for i := range batch {
		node, err := client.ReadNode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if body := wire.Bytes(node); len(body) != 10_000 || body[0] != byte(i) {
			t.Fatalf("stanza %d has %d bytes", i, len(body))
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestANodeThatCannotBeSentLeavesTheConnectionAsItWas(t *testing.T) {
	client, server := connect(t)
	huge := waBinary.Node{Tag: "message", Content: make([]byte, wire.MaxStanza)}
	if err := client.WriteNodes(t.Context(), stanza("a"), huge); !errors.Is(err, wire.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if err := client.WriteNode(t.Context(), waBinary.Node{Tag: "iq", Content: 1.5}); !errors.Is(err, wire.ErrEncode) {
		t.Errorf("got %v", err)
	}
	if err := client.WriteNode(t.Context(), stanza("b")); err != nil {
		t.Fatal(err)
	}
	node, err := server.ReadNode(t.Context())
	if err != nil || node.Attrs["id"] != "b" {
		t.Errorf("got %v, %v", node, err)
	}
}

func TestReadEndsWithItsContextAndClosesTheConnection(t *testing.T) {
	client, server := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := client.ReadNode(ctx)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := server.ReadNode(t.Context()); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("the other end got %v", err)
	}
}

func TestCloseEndsTheOtherEndsReadWithTheCode(t *testing.T) {
	client, server := connect(t)
	failed := make(chan error, 1)
	go func() {
		_, err := client.ReadNode(t.Context())
		failed <- err
	}()
	if err := server.Close(websocket.StatusGoingAway); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, wire.ErrClosed) || websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("got %v", err)
	}
	if err := client.WriteNode(t.Context(), stanza("late")); !errors.Is(err, wire.ErrClosed) {
		t.Errorf("write after the end got %v", err)
	}
	if err := client.Close(0); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestAcceptRefusesForeignClients(t *testing.T) {
	hello := wire.AppendFrame(bytes.Clone(socket.WAConnHeader), []byte("\x12\x02\x0a\x00"))
	for name, first := range map[string][]byte{
		"another protocol":           []byte("SSH-2.0-x"),
		"an ephemeral key too short": hello,
		"a frame over the limit":     append(bytes.Clone(socket.WAConnHeader), 0xff, 0xff, 0xff),
	} {
		t.Run(name, func(t *testing.T) {
			url, handshakes := serve(t, newAuthority(t))
			ws, _, err := websocket.Dial(t.Context(), url, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.CloseNow()
			if err = ws.Write(t.Context(), websocket.MessageBinary, first); err != nil {
				t.Fatal(err)
			}
			if got := <-handshakes; !errors.Is(got.err, wire.ErrHandshake) && !errors.Is(got.err, wire.ErrTooLarge) {
				t.Errorf("got %v", got.err)
			}
			if _, _, err = ws.Read(t.Context()); err == nil {
				t.Error("the connection is still open")
			}
		})
	}
}
