package interop_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/memstore"
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
	chain, err := wire.SignCertChain(p.root, wire.NewKeyPair(), static.Pub, now.Add(-time.Hour), now.Add(1000*time.Hour))
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

// tokenSource counts the tokens it gives out.
type tokenSource struct {
	mu    sync.Mutex
	given int
	err   error
}

func (s *tokenSource) Token(_ context.Context, userVisibleID, audience string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	s.given++
	return fmt.Sprintf("token %d for %s at %s", s.given, userVisibleID, audience), nil
}

// recorder is a handler that keeps what it was told.
type recorder struct {
	t      testing.TB
	events chan interop.Event
	mu     sync.Mutex
	hook   func(ctx context.Context, event interop.Event) error
}

func newRecorder(t testing.TB) *recorder {
	return &recorder{t: t, events: make(chan interop.Event, 40000)}
}

// intercept sets a function that sees events first; if it fails, the event is not recorded.
func (r *recorder) intercept(hook func(ctx context.Context, event interop.Event) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hook = hook
}

func (r *recorder) HandleEvent(ctx context.Context, event interop.Event) error {
	r.mu.Lock()
	hook := r.hook
	r.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, event); err != nil {
			return err
		}
	}
	r.events <- event
	return nil
}

// waitFor returns the next event, which must be of the type. Connected and Disconnected are skipped unless wanted.
func waitFor[E interop.Event](r *recorder) E {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case event := <-r.events:
			if wanted, ok := event.(E); ok {
				return wanted
			}
			switch event.(type) {
			case *interop.Connected, *interop.Disconnected:
				continue
			}
			r.t.Fatalf("got %T %+v, want %T", event, event, *new(E))
		case <-timeout:
			r.t.Fatalf("no %T came", *new(E))
		}
	}
}

// none fails the test if events other than Connected and Disconnected have come.
func (r *recorder) none() {
	r.t.Helper()
	for {
		select {
		case event := <-r.events:
			switch event.(type) {
			case *interop.Connected, *interop.Disconnected:
			default:
				r.t.Errorf("unexpected event %T %+v", event, event)
			}
		default:
			return
		}
	}
}

// subject is a client under test.
type subject struct {
	*interop.Client
	t       *testing.T
	options interop.Options
	events  *recorder
	tokens  *tokenSource
	store   interop.Store
	// party is the client's end of Signal sessions as a contact sees it: its keys.
	party *interop.Party
}

// newSubject makes a client that is not started. Pauses are as short as they can be.
func newSubject(t *testing.T, p *peer, change ...func(*interop.Options)) *subject {
	t.Helper()
	s := &subject{t: t, events: newRecorder(t), tokens: &tokenSource{}, store: memstore.New()}
	keys := interop.NewKeys()
	s.options = interop.Options{
		Gatekeeper: &interop.Gatekeeper{
			ID: "sandbox", Name: "Sandbox", Product: interop.ProductWhatsApp, Integrator: aliceJID.Integrator,
			ChatURL: p.url, RootKey: p.root.Pub, Audience: "sandbox audience", ProtocolVersion: [3]uint32{1, 2, 3},
		},
		Account: interop.Account{JID: aliceJID, UserVisibleID: "@alice:example.org", Keys: keys},
		Store:   s.store,
		Tokens:  s.tokens,
		Handler: s.events,
		Log:     zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
		Jitter:  func() float64 { return 0 },
	}
	for _, apply := range change {
		apply(&s.options)
	}
	s.store = s.options.Store
	s.party = interop.PartyOf(aliceJID, s.store, keys)
	s.Client = interop.NewClient(s.options)
	t.Cleanup(s.stop)
	return s
}

func (s *subject) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		s.t.Errorf("client did not stop: %v", err)
	}
}

// kill ends the client as a crash would: nothing that is under way gets to the store any more. The next client on the
// store is returned.
func (s *subject) kill() *subject {
	s.t.Helper()
	dead, ok := s.options.Store.(*mortalStore)
	if !ok {
		s.t.Fatal("kill needs a mortalStore")
	}
	dead.die()
	s.events.intercept(func(context.Context, interop.Event) error { return errStoreDown })
	s.stop()
	next := *s
	next.events = newRecorder(s.t)
	next.options.Store = &mortalStore{Store: dead.Store}
	next.options.Handler = next.events
	next.store = next.options.Store
	next.Client = interop.NewClient(next.options)
	s.t.Cleanup(next.stop)
	return &next
}

// started makes a client and lets it in.
func started(t *testing.T, change ...func(*interop.Options)) (*peer, *subject, *link) {
	t.Helper()
	p := newPeer(t)
	s := newSubject(t, p, change...)
	s.Start()
	l := p.login()
	waitFor[*interop.Connected](s.events)
	return p, s, l
}

// contact is a WhatsApp user with devices.
type contact struct {
	t       *testing.T
	jid     types.JID
	devices []*interop.Party
	nextID  int
	nextKey map[*interop.Party]uint32
}

func newContact(t *testing.T, jid types.JID, devices int) *contact {
	c := &contact{t: t, jid: jid, nextKey: make(map[*interop.Party]uint32)}
	for i := range devices {
		device := jid
		device.Device = uint16(i)
		c.devices = append(c.devices, interop.NewParty(device, memstore.New(), 20))
	}
	return c
}

// message makes a stanza from the contact's first device.
func (c *contact) message(to *subject, text string) waBinary.Node {
	c.t.Helper()
	c.nextID++
	return c.messageWithID(to, fmt.Sprintf("IN%d", c.nextID), text, false)
}

func (c *contact) messageWithID(to *subject, id, text string, newSession bool) waBinary.Node {
	c.t.Helper()
	message, _, err := c.devices[0].Encrypt(context.Background(), to.party, conversation(text), 0, newSession)
	if err != nil {
		c.t.Fatal(err)
	}
	return waBinary.Node{
		Tag: "message",
		Attrs: waBinary.Attrs{
			"from": c.devices[0].Address, "id": id, "type": "text", "t": time.Now().Unix(), "notify": "Bob",
		},
		Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind}, Content: message.Data}},
	}
}

// answers gives device lists and prekeys of contacts.
func answers(contacts ...*contact) func(iq *waBinary.Node) *waBinary.Node {
	return func(iq *waBinary.Node) *waBinary.Node {
		switch iq.Attrs["xmlns"] {
		case "usync":
			var users []waBinary.Node
			for _, asked := range childOf(iq, "usync", "list").GetChildren() {
				for _, c := range contacts {
					if asked.Attrs["jid"] == c.jid {
						users = append(users, c.deviceList())
					}
				}
			}
			return result(iq, waBinary.Node{Tag: "usync", Content: []waBinary.Node{{Tag: "list", Content: users}}})
		case "encrypt":
			keys := childOf(iq, "key")
			if keys == nil {
				return nil
			}
			var users []waBinary.Node
			for _, asked := range keys.GetChildren() {
				for _, c := range contacts {
					for _, device := range c.devices {
						if asked.Attrs["jid"] == device.Address {
							users = append(users, c.bundle(device))
						}
					}
				}
			}
			return result(iq, waBinary.Node{Tag: "list", Content: users})
		}
		return nil
	}
}

func (c *contact) deviceList() waBinary.Node {
	var devices []waBinary.Node
	for _, device := range c.devices {
		devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(device.Address.Device)}})
	}
	return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": c.jid}, Content: []waBinary.Node{
		{Tag: "devices", Attrs: waBinary.Attrs{"version": 2}, Content: []waBinary.Node{{Tag: "device-list", Content: devices}}},
	}}
}

// bundle gives out the device's keys, each one-time key once.
func (c *contact) bundle(device *interop.Party) waBinary.Node {
	c.nextKey[device]++
	return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device.Address}, Content: device.BundleNodes(c.nextKey[device])}
}

// open decrypts a message of the client's for one device and returns its text.
func (c *contact) open(from *subject, node *waBinary.Node, device int) string {
	c.t.Helper()
	enc := childOf(node, "enc")
	if enc == nil {
		for _, to := range childOf(node, "participants").GetChildren() {
			if to.Attrs["jid"] == c.devices[device].Address {
				enc = childOf(&to, "enc")
			}
		}
	}
	if enc == nil {
		c.t.Fatalf("nothing for device %d in %s", device, node.String())
	}
	data, _ := enc.Content.([]byte)
	kind, _ := enc.Attrs["type"].(string)
	text, _, _, err := c.devices[device].Decrypt(context.Background(), from.party, interop.Ciphertext{Kind: kind, Data: data})
	if err != nil {
		c.t.Fatalf("device %d cannot decrypt: %v", device, err)
	}
	return text
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

func withAttrs(node waBinary.Node, attrs waBinary.Attrs) waBinary.Node {
	all := maps.Clone(node.Attrs)
	maps.Copy(all, attrs)
	node.Attrs = all
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

func mortal(options *interop.Options) { options.Store = &mortalStore{Store: memstore.New()} }

// fakeClock is a clock that stands until it is moved.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*fakeTimer]bool
	// armed gets the pause of every timer that is set.
	armed chan time.Duration
}

type fakeTimer struct {
	clock *fakeClock
	at    time.Time
	fn    func()
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Now(), timers: make(map[*fakeTimer]bool), armed: make(chan time.Duration, 1000)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, fn func()) interop.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &fakeTimer{clock: c, at: c.now.Add(d), fn: fn}
	c.timers[timer] = true
	c.armed <- d
	return timer
}

func (t *fakeTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	return pending
}

// advance moves the clock and calls what is due.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	var due []func()
	for timer := range c.timers {
		if !timer.at.After(c.now) {
			delete(c.timers, timer)
			due = append(due, timer.fn)
		}
	}
	c.mu.Unlock()
	for _, fn := range due {
		go fn()
	}
}

// waitArmed waits for a timer with a pause in the range to be set.
func (c *fakeClock) waitArmed(t *testing.T, least, most time.Duration) time.Duration {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case d := <-c.armed:
			if d >= least && d <= most {
				return d
			}
		case <-timeout:
			t.Fatalf("no timer of %s to %s was set", least, most)
		}
	}
}
