package interop_test

import (
	"cmp"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/wire"
)

// patience is how long a test waits for what has to come. Only a failing test takes so long.
const patience = 20 * time.Second

// peer is the gatekeeper's end, played by a test. Every stanza that a test does not ask for makes it fail.
type peer struct {
	t     *testing.T
	root  wire.KeyPair
	url   *url.URL
	links chan *link
	// count is how many prekeys clients have left, 0 for 50.
	count int
	mu    sync.Mutex
	also  []func(iq *waBinary.Node) *waBinary.Node
}

// answerAlso answers some requests, on every connection from now on.
func (p *peer) answerAlso(answer func(iq *waBinary.Node) *waBinary.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.also = append(p.also, answer)
}

// link is one connection to a client.
type link struct {
	t       *testing.T
	peer    *peer
	conn    *wire.Conn
	static  [32]byte
	payload *waWa6.ClientPayload
	inbox   chan *waBinary.Node
	// answer gives the answer to a request without the test's doing; nil leaves it to the test.
	answer func(iq *waBinary.Node) *waBinary.Node
	mu     sync.Mutex
	closed chan struct{} // when reading ended
	ready  chan struct{} // when the client asked how many prekeys are left, the last thing after a login
	asked  sync.Once
	// lax links are cut by the test, which may leave stanzas unread.
	lax bool
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{t: t, root: wire.NewKeyPair(), links: make(chan *link, 64)}
	static := wire.NewKeyPair()
	now := time.Now()
	chain, err := wire.SignCertChain(p.root, wire.NewKeyPair(), static.Pub, now.Add(-time.Hour), now.Add(2000*time.Hour)) // tests let weeks pass
	if err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, clientStatic, payload, err := wire.Accept(w, r, wire.ServerHandshake{Static: static, CertChain: chain})
		if err != nil {
			return // the client refused us, which its test sees
		}
		readers.Add(1)
		defer readers.Done()
		l := &link{t: t, peer: p, conn: conn, static: clientStatic, payload: &waWa6.ClientPayload{}, inbox: make(chan *waBinary.Node, 20000), closed: make(chan struct{}), ready: make(chan struct{})}
		l.answer = l.answerSetUp
		p.mu.Lock()
		for _, answer := range p.also {
			l.answerAlso(answer)
		}
		p.mu.Unlock()
		if err = proto.Unmarshal(payload, l.payload); err != nil {
			t.Errorf("login payload: %v", err)
		}
		p.links <- l
		l.read()
	}))
	p.url, err = url.Parse(strings.Replace(server.URL, "http", "ws", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		readers.Wait()
	})
	return p
}

func (l *link) read() {
	defer close(l.closed)
	for {
		node, err := l.conn.ReadNode(context.Background())
		if err != nil {
			return
		}
		if node.Tag == "iq" {
			l.mu.Lock()
			answer := l.answer
			l.mu.Unlock()
			if answer != nil {
				if reply := answer(node); reply != nil {
					_ = l.conn.WriteNode(context.Background(), *reply)
					continue
				}
			}
		}
		l.inbox <- node
	}
}

// answerSetUp answers what every client asks after a login.
func (l *link) answerSetUp(iq *waBinary.Node) *waBinary.Node {
	switch iq.Attrs["xmlns"] {
	case "passive", "w:p":
		return result(iq)
	case "encrypt":
		if iq.Attrs["type"] == "get" && childOf(iq, "count") != nil {
			l.asked.Do(func() { close(l.ready) })
			return result(iq, waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": cmp.Or(l.peer.count, 50)}})
		}
	}
	return nil
}

// answerAlso answers some requests in addition to those after a login.
func (l *link) answerAlso(answer func(iq *waBinary.Node) *waBinary.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.answer
	l.answer = func(iq *waBinary.Node) *waBinary.Node {
		if reply := answer(iq); reply != nil {
			return reply
		}
		return before(iq)
	}
}

func result(iq *waBinary.Node, content ...waBinary.Node) *waBinary.Node {
	return &waBinary.Node{
		Tag:     "iq",
		Attrs:   waBinary.Attrs{"id": iq.Attrs["id"], "type": "result", "from": types.ServerJID},
		Content: content,
	}
}

func childOf(node *waBinary.Node, tags ...string) *waBinary.Node {
	for _, tag := range tags {
		var found *waBinary.Node
		list := node.GetChildren()
		for i := range list {
			if list[i].Tag == tag {
				found = &list[i]
				break
			}
		}
		if found == nil {
			return nil
		}
		node = found
	}
	return node
}

// accept waits for a client to connect, without answering its login.
func (p *peer) accept() *link {
	p.t.Helper()
	select {
	case l := <-p.links:
		p.t.Cleanup(l.checkSilence)
		return l
	case <-time.After(patience):
		p.t.Fatal("nobody connected")
		return nil
	}
}

// login waits for a client to connect and lets it in.
func (p *peer) login() *link {
	p.t.Helper()
	l := p.accept()
	l.send(waBinary.Node{Tag: "success", Attrs: waBinary.Attrs{"t": time.Now().Unix()}})
	select {
	case <-l.ready:
	case <-time.After(patience):
		p.t.Fatal("client does not finish its login")
	}
	return l
}

func (l *link) send(node waBinary.Node) {
	l.t.Helper()
	if err := l.conn.WriteNode(context.Background(), node); err != nil {
		l.t.Fatalf("failed to send %s: %v", node.Tag, err)
	}
}

// next waits for the next stanza, which must have the tag.
func (l *link) next(tag string) *waBinary.Node {
	l.t.Helper()
	select {
	case node := <-l.inbox:
		if node.Tag != tag {
			l.t.Fatalf("got %s, want %s", node.String(), tag)
		}
		return node
	case <-time.After(patience):
		l.t.Fatalf("no %s came", tag)
		return nil
	}
}

// cut ends the connection without a word and forgets what the client sent.
func (l *link) cut() {
	l.lax = true
	_ = l.conn.Close(0)
	<-l.closed
}

// waitClosed waits until the client has closed the connection.
func (l *link) waitClosed() {
	l.t.Helper()
	select {
	case <-l.closed:
	case <-time.After(patience):
		l.t.Fatal("client did not close the connection")
	}
}

// checkSilence fails the test for stanzas that nobody asked for.
func (l *link) checkSilence() {
	for !l.lax {
		select {
		case node := <-l.inbox:
			l.t.Errorf("client sent what it should not: %s", node.String())
		default:
			return
		}
	}
}

// sync waits until everything that the client was to do on the connection's reading goroutine was done, by a ping.
func (l *link) sync() {
	l.t.Helper()
	l.send(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "sync", "type": "get", "xmlns": "urn:xmpp:ping", "from": types.ServerJID}})
	node := l.next("iq")
	if node.Attrs["id"] != "sync" || node.Attrs["type"] != "result" {
		l.t.Fatalf("got %s instead of the answer to a ping", node.String())
	}
}

// ack accepts a message of the client's, or refuses it with a code other than 0.
func (l *link) ack(message *waBinary.Node, code int) {
	l.t.Helper()
	attrs := waBinary.Attrs{"class": "message", "id": message.Attrs["id"], "from": message.Attrs["to"], "t": time.Now().Unix()}
	if code != 0 {
		attrs["error"] = code
	}
	l.send(waBinary.Node{Tag: "ack", Attrs: attrs})
}

// wantReceipt waits for the receipt or ack that settles a stanza.
func (l *link) wantReceipt(tag string, id any, kind string) *waBinary.Node {
	l.t.Helper()
	node := l.next(tag)
	got, _ := node.Attrs["type"].(string)
	if node.Attrs["id"] != id || got != kind {
		l.t.Fatalf("got %s, want a %s for %v of type %q", node.String(), tag, id, kind)
	}
	return node
}

// mortalStore can be made to fail for ever, as the store of a program that was killed.
type mortalStore struct {
	interop.Store
	mu   sync.RWMutex
	dead bool
}

func (s *mortalStore) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
}

func (s *mortalStore) alive() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.dead {
		return errStoreDown
	}
	return nil
}

func (s *mortalStore) Atomically(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.Store.Atomically(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return s.alive()
	})
}

func (s *mortalStore) MarkDelivered(ctx context.Context, hash [32]byte) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.MarkDelivered(ctx, hash)
}

func (s *mortalStore) CompleteOutgoing(ctx context.Context, id types.MessageID, plaintext []byte) error {
	if err := s.alive(); err != nil {
		return err
	}
	return s.Store.CompleteOutgoing(ctx, id, plaintext)
}
