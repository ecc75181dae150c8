package interop_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"
)

// phone is a device of a WhatsApp user, played by whatsmeow's client as it is: the other implementation.
type phone struct {
	*whatsmeow.Client
	tb  testing.TB
	jid types.JID // of the account, by phone number

	mu     sync.Mutex
	seen   []any
	change chan struct{} // closed and replaced with every event; guarded by mu
}

// toSandbox sends whatsmeow's requests, whose address is a constant, to the sandbox.
type toSandbox struct{ host string }

func (t toSandbox) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	changed.URL.Scheme, changed.URL.Host, changed.Host = "http", t.host, t.host
	return http.DefaultTransport.RoundTrip(changed)
}

// rootKeyLock guards whatsmeow's root key, a global: it is set before every connection of a phone.
var rootKeyLock sync.Mutex

// account makes a WhatsApp user.
func (s *sandbox) account(number, name string) {
	s.tb.Helper()
	s.control(http.MethodPost, "/accounts", map[string]any{"phone": number, "name": name, "third_party": true}, nil)
}

// phone registers a device of a user and connects it.
func (s *sandbox) phone(number, name string) *phone {
	s.tb.Helper()
	container, err := sqlstore.New(context.Background(), "sqlite3", "file:"+filepath.Join(s.tb.TempDir(), "phone.db")+"?_foreign_keys=on&_txlock=immediate&_synchronous=OFF&_journal_mode=WAL", waLog.Noop)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = container.Close() })
	store := container.NewDevice()
	jid, lid := s.registerDevice(number, *store.NoiseKey.Pub)
	store.ID, store.LID, store.PushName = &jid, lid, name
	store.Account = &waAdv.ADVSignedDeviceIdentity{
		Details: []byte{}, AccountSignatureKey: make([]byte, 32), AccountSignature: make([]byte, 64), DeviceSignature: make([]byte, 64),
	}
	if err = store.Save(context.Background()); err != nil {
		s.tb.Fatal(err)
	}
	p := &phone{Client: whatsmeow.NewClient(store, waLog.Noop), tb: s.tb, jid: jid.ToNonAD(), change: make(chan struct{})}
	p.SetWebsocketHTTPClient(&http.Client{Transport: toSandbox{strings.TrimPrefix(s.URL(), "http://")}})
	p.EnableDecryptedEventBuffer = true
	p.SynchronousAck = true
	p.SetForceActiveDeliveryReceipts(true)
	p.AddEventHandler(p.record)
	s.tb.Cleanup(p.Disconnect)
	p.connect(s.RootKey())
	return p
}

func (p *phone) connect(root [32]byte) {
	p.tb.Helper()
	rootKeyLock.Lock()
	defer rootKeyLock.Unlock()
	whatsmeow.WACertPubKey = root
	mark := p.mark()
	if err := p.Connect(); err != nil {
		p.tb.Fatal(err)
	}
	waitSeen(p, mark, func(*events.Connected) bool { return true })
}

func (p *phone) record(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, event)
	close(p.change)
	p.change = make(chan struct{})
}

func (p *phone) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.seen)
}

// waitSeen returns the first event of the type after the mark that matches.
func waitSeen[E any](p *phone, mark int, matches func(E) bool) E {
	p.tb.Helper()
	timeout := time.After(patience)
	for next := mark; ; {
		p.mu.Lock()
		seen, change := p.seen, p.change
		p.mu.Unlock()
		for ; next < len(seen); next++ {
			if event, ok := seen[next].(E); ok && matches(event) {
				return event
			}
		}
		select {
		case <-change:
		case <-timeout:
			p.tb.Fatalf("phone waits for %T in vain", *new(E))
		}
	}
}

func (p *phone) waitText(want string) *events.Message {
	p.tb.Helper()
	return waitSeen(p, 0, func(m *events.Message) bool { return m.Message.GetConversation() == want })
}

func (p *phone) waitReceipt(id types.MessageID, kind types.ReceiptType) {
	p.tb.Helper()
	waitSeen(p, 0, func(r *events.Receipt) bool { return r.Type == kind && r.MessageIDs[0] == id })
}

func (p *phone) write(to types.JID, content string) types.MessageID {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sent, err := p.SendMessage(ctx, to, text(content))
	if err != nil {
		p.tb.Fatal(err)
	}
	return sent.ID
}
