package interop_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/memstore"
	"postern/interop/wire"
)

func FuzzUnpad(f *testing.F) {
	for _, seed := range [][]byte{nil, {0}, {1}, {2, 2}, {3, 2}, {16, 16}, append(make([]byte, 20), 1)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if text, err := interop.Unpad(data); err == nil && (len(text) >= len(data) || len(data)-len(text) > 255) {
			t.Errorf("%x gave %x", data, text)
		}
		if text, err := interop.Unpad(interop.Pad(data)); err != nil || string(text) != string(data) {
			t.Errorf("%x came back as %x, %v", data, text, err)
		}
	})
}

func FuzzKeys(f *testing.F) {
	seed, err := interop.NewKeys().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		var keys, again interop.Keys
		if keys.UnmarshalBinary(data) != nil {
			return
		}
		stored, err := keys.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err = again.UnmarshalBinary(stored); err != nil || again != keys {
			t.Errorf("keys do not survive being stored: %v", err)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	for _, seed := range [][]byte{nil, {0}, {1}, append([]byte{0}, interop.Pad(conversation("text"))...), {1, 0xff, 0xff, 1}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if message, _, err := interop.OpenEnvelope(data); err == nil {
			if _, err = proto.Marshal(message); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzSession(f *testing.F) {
	store := memstore.New()
	alice, bob := interop.NewParty(aliceJID, store, 10), interop.NewParty(bobJID, memstore.New(), 10)
	f.Add([]byte(nil))
	for range 3 {
		wantText(f, bob, alice, encrypt(f, alice, bob, "x"), "x")
		encrypt(f, bob, alice, "skipped")
		wantText(f, alice, bob, encrypt(f, bob, alice, "y"), "y")
		session, err := store.LoadSession(context.Background(), interop.AddressOf(bobJID))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(session)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := interop.RecodeSession(data)
		if err != nil {
			return
		}
		twice, err := interop.RecodeSession(once)
		if err != nil || string(once) != string(twice) {
			t.Errorf("%x changes when it is stored again: %v", data, err)
		}
	})
}

func FuzzCiphertext(f *testing.F) {
	alice, bob := newParties()
	for range 3 {
		message := encrypt(f, alice, bob, "x")
		f.Add(message.Data, true)
		wantText(f, bob, alice, message, "x")
		message = encrypt(f, bob, alice, "y")
		f.Add(message.Data, false)
		wantText(f, alice, bob, message, "y")
	}
	f.Fuzz(func(t *testing.T, data []byte, start bool) {
		kind := "msg"
		if start {
			kind = "pkmsg"
		}
		if _, _, _, err := alice.Decrypt(context.Background(), bob, interop.Ciphertext{Kind: kind, Data: data}); interop.IsStoreError(err) {
			t.Error(err)
		}
	})
}

func FuzzNormalizePhone(f *testing.F) {
	for _, seed := range []string{"", "+", "+49 (0)151 12345678", "+1.555.010-9999", "+٤٩", "004915112345678"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, phone string) {
		normal, err := interop.NormalizePhone(phone)
		if err != nil {
			return
		}
		if again, err := interop.NormalizePhone(normal); err != nil || again != normal || len(normal) < 8 || len(normal) > 16 {
			t.Errorf("%q gave %q, then %q, %v", phone, normal, again, err)
		}
	})
}

func FuzzEnlistAnswer(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"status":"ok","login":"7-10853634039893@interop"}`, `{"status":"fail","reason":"bad_token"}`, `{"status":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if jid, err := interop.ParseEnlistAnswer(body, 7); err == nil && (jid.Server != types.InteropServer || jid.Integrator != 7 || jid.User == "") {
			t.Errorf("%q gave %+v", body, jid)
		}
	})
}

// FuzzAnswers holds the parsers of answers to stanzas of any form.
func FuzzAnswers(f *testing.F) {
	bob := interop.NewParty(bobJID, memstore.New(), 3)
	contact := &contact{jid: bobJID, devices: []*interop.Party{bob}, nextKey: map[*interop.Party]uint32{}}
	for _, seed := range []waBinary.Node{
		contact.deviceList(), contact.bundle(bob), retryReceipt(bob, "A", 2, true), failure(401),
		{Tag: "stream:error", Attrs: waBinary.Attrs{"code": "515"}},
		{Tag: "user", Attrs: waBinary.Attrs{"jid": bobJID}, Content: []waBinary.Node{{Tag: "contact", Attrs: waBinary.Attrs{"type": "in"}, Content: "+4915112345678"}}},
	} {
		data, err := wire.EncodeStanza(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if node, err := wire.DecodeStanza(data); err == nil {
			interop.ParseEverything(node)
		}
	})
}

// FuzzStanzas sends stanzas of any form to a client that is logged in, which must neither panic nor hang: it still
// answers a ping, or has closed the connection.
func FuzzStanzas(f *testing.F) {
	bob := interop.NewParty(bobJID, memstore.New(), 3)
	for _, seed := range []waBinary.Node{
		{Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": "A", "t": "1", "offline": "0"}, Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"type": "pkmsg", "v": "2", "count": "1"}, Content: []byte("3x")}}},
		{Tag: "receipt", Attrs: waBinary.Attrs{"from": bobJID, "id": "A", "type": "read"}, Content: []waBinary.Node{{Tag: "list", Content: []waBinary.Node{{Tag: "item", Attrs: waBinary.Attrs{"id": "B"}}}}}},
		retryReceipt(bob, "A", 2, true),
		{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": "A", "error": "409"}},
		{Tag: "iq", Attrs: waBinary.Attrs{"type": "result", "id": "1"}, Content: []waBinary.Node{{Tag: "count", Attrs: waBinary.Attrs{"value": "-1"}}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"from": bobJID, "type": "encrypt", "id": "A"}, Content: []waBinary.Node{{Tag: "identity"}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"from": types.ServerJID, "type": "encrypt", "id": "A"}, Content: []waBinary.Node{{Tag: "count", Attrs: waBinary.Attrs{"value": "3"}}}},
		{Tag: "notification", Attrs: waBinary.Attrs{"from": bobJID, "type": "devices", "id": "A"}},
		{Tag: "notification", Attrs: waBinary.Attrs{"from": bobJID, "type": "picture", "id": "A"}},
		{Tag: "chatstate", Attrs: waBinary.Attrs{"from": bobJID}, Content: []waBinary.Node{{Tag: "composing", Attrs: waBinary.Attrs{"media": "audio"}}}},
		{Tag: "ib", Content: []waBinary.Node{{Tag: "offline", Attrs: waBinary.Attrs{"count": "3"}}}},
		{Tag: "stream:error", Attrs: waBinary.Attrs{"code": "503"}},
		{Tag: "failure", Attrs: waBinary.Attrs{"reason": "401"}},
		{Tag: "success"}, {Tag: "presence", Attrs: waBinary.Attrs{"from": bobJID}},
	} {
		data, err := wire.EncodeStanza(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := wire.DecodeStanza(data); err != nil {
			return
		}
		target := newFuzzTarget(t)
		defer target.client.stop()
		defer func() { _ = target.conn.Close(0) }()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if target.conn.WriteStanzas(ctx, data) != nil {
			t.Fatal("client was gone before")
		}
		if target.conn.WriteNode(ctx, waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "sync", "type": "get", "xmlns": "urn:xmpp:ping"}}) != nil {
			return
		}
		for {
			node, err := target.conn.ReadNode(ctx)
			if ctx.Err() != nil {
				t.Fatal("client hangs")
			} else if err != nil || node.Attrs["id"] == "sync" {
				return
			}
		}
	})
}

// fuzzTarget is a client that has just logged in.
type fuzzTarget struct {
	client *fuzzClient
	conn   *wire.Conn
}

type fuzzClient struct{ *interop.Client }

func (c *fuzzClient) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		panic(err)
	}
}

type anyHandler struct{}

func (anyHandler) HandleEvent(context.Context, interop.Event) error { return nil }

// fuzzServer is shared by all runs of a fuzz target in the process: certificates and listeners are slow to make.
var fuzzServer = sync.OnceValue(func() (server struct {
	url   *url.URL
	root  [32]byte
	conns chan *wire.Conn
}) {
	root, static := wire.NewKeyPair(), wire.NewKeyPair()
	now := time.Now()
	chain, err := wire.SignCertChain(root, wire.NewKeyPair(), static.Pub, now.Add(-time.Hour), now.Add(1000*time.Hour))
	if err != nil {
		panic(err)
	}
	server.conns = make(chan *wire.Conn, 1)
	server.root = root.Pub
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := wire.Accept(w, r, wire.ServerHandshake{Static: static, CertChain: chain})
		if err == nil {
			server.conns <- conn
		}
	}))
	if server.url, err = url.Parse(strings.Replace(listener.URL, "http", "ws", 1)); err != nil {
		panic(err)
	}
	return server
})

func newFuzzTarget(t *testing.T) *fuzzTarget {
	server := fuzzServer()
	client := &fuzzClient{interop.NewClient(interop.Options{
		Gatekeeper: &interop.Gatekeeper{ID: "fuzz", ChatURL: server.url, RootKey: server.root, Integrator: 7},
		Account:    interop.Account{JID: aliceJID, UserVisibleID: "@alice:example.org", Keys: fuzzKeys()},
		Store:      memstore.New(), Tokens: &tokenSource{}, Handler: anyHandler{}, Log: zerolog.Nop(),
		Jitter: func() float64 { return 0.9 }, // no second connection while the first is looked at
	})}
	client.Start()
	conn := <-server.conns
	if err := conn.WriteNode(context.Background(), waBinary.Node{Tag: "success"}); err != nil {
		t.Fatal(err)
	}
	return &fuzzTarget{client: client, conn: conn}
}

var fuzzKeys = sync.OnceValue(interop.NewKeys)
