package gatekeeper_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rs/zerolog"
	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/gatekeeper"
	"postern/interop/wire"
)

const (
	integrator = 7
	audience   = "sandbox-test"
	patience   = 20 * time.Second // with which a test waits for something that is sure to come
)

// partner is a partner server with one key.
type partner struct {
	*httptest.Server
	key *rsa.PrivateKey
}

// partnerKey is made once: making RSA keys is slow.
var partnerKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newPartner(tb testing.TB) *partner {
	p := &partner{key: partnerKey()}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(set)
	}))
	tb.Cleanup(p.Close)
	return p
}

// token signs an identity token; change may alter its claims.
func (p *partner) token(tb testing.TB, subject string, change func(claims map[string]any)) string {
	tb.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": p.URL, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + 300, "jti": rand.Text(), "integrator": integrator,
	}
	if change != nil {
		change(claims)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// sandbox is a running gatekeeper with one partner.
type sandbox struct {
	*gatekeeper.Server
	tb      testing.TB
	config  *gatekeeper.Config
	partner *partner
}

// rootKeyFile is shared by all sandboxes of the process, because whatsmeow keeps the root key in a global variable.
var rootKeyFile = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatekeeper-test-*")
	return filepath.Join(dir, "root.key"), err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := rootKeyFile(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func start(tb testing.TB) *sandbox {
	tb.Helper()
	root, err := rootKeyFile()
	if err != nil {
		tb.Fatal(err)
	}
	p := newPartner(tb)
	s := &sandbox{tb: tb, partner: p, config: &gatekeeper.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Database: filepath.Join(tb.TempDir(), "gatekeeper.db"), RootKeyFile: root,
		Product: "whatsapp", MinimumVersion: gatekeeper.Version{1, 0, 0},
		Partners: []gatekeeper.Partner{{Integrator: integrator, Issuer: p.URL, Audience: audience}},
	}}
	s.launch()
	tb.Cleanup(func() { s.stop() })
	return s
}

// launch starts a server on the sandbox's files, at the address of the one before it, if there was one.
func (s *sandbox) launch() {
	s.tb.Helper()
	log := zerolog.Nop() // testing.F refuses to log while a target runs
	if _, fuzzing := s.tb.(*testing.F); !fuzzing {
		log = zerolog.New(zerolog.NewTestWriter(s.tb)).Level(zerolog.WarnLevel)
	}
	server, err := gatekeeper.New(s.config, log)
	if err == nil {
		err = server.Start(s.tb.Context())
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	s.Server = server
	s.config.Listen = strings.TrimPrefix(server.URL(), "http://")
	s.config.Control = strings.TrimPrefix(server.ControlURL(), "http://")
}

func (s *sandbox) stop() {
	s.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		s.tb.Errorf("stop: %v", err)
	}
}

// control makes a request to the control API and decodes the answer into one, which may be nil. It returns the status.
func (s *sandbox) control(method, path string, body, answer any) int {
	s.tb.Helper()
	var content io.Reader
	switch body := body.(type) {
	case nil:
	case []byte:
		content = bytes.NewReader(body)
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			s.tb.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(s.tb.Context(), method, s.ControlURL()+path, content)
	if err != nil {
		s.tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	if answer != nil {
		if err = json.NewDecoder(response.Body).Decode(answer); err != nil {
			s.tb.Fatal(err)
		}
	}
	return response.StatusCode
}

// fault sets a fault, which must succeed.
func (s *sandbox) fault(name string, body map[string]any) {
	s.tb.Helper()
	if status := s.control("POST", "/faults/"+name, body, nil); status != http.StatusOK {
		s.tb.Fatalf("fault %s: status %d", name, status)
	}
}

// account makes a WhatsApp user.
func (s *sandbox) account(phone, name string) {
	s.tb.Helper()
	if status := s.control("POST", "/accounts", map[string]any{"phone": phone, "name": name}, nil); status != http.StatusOK {
		s.tb.Fatalf("account %s: status %d", phone, status)
	}
}

// addresses registers a device of a WhatsApp user.
func (s *sandbox) addresses(phone string, noise [32]byte) (number, lid types.JID) {
	s.tb.Helper()
	var answer struct{ JID, LID string }
	status := s.control("POST", "/accounts/"+url.PathEscape(phone)+"/devices", map[string]any{"noise_key": hex.EncodeToString(noise[:])}, &answer)
	if status != http.StatusOK {
		s.tb.Fatalf("device of %s: status %d", phone, status)
	}
	var err error
	if number, err = wire.ParseJID(answer.JID); err == nil {
		lid, err = wire.ParseJID(answer.LID)
	}
	if err != nil {
		s.tb.Fatal(err)
	}
	return number, lid
}

type saw struct {
	Seq      int64
	Kind, ID string
	From, To string
	Enc      []string
	Size     int
}

// waitSaw waits until the gatekeeper saw something of the kind.
func (s *sandbox) waitSaw(kind string) saw {
	s.tb.Helper()
	var after int64
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		var answer struct{ Saw []saw }
		s.control("GET", fmt.Sprintf("/saw?wait=5&after=%d", after), nil, &answer)
		for _, record := range answer.Saw {
			after = record.Seq
			if record.Kind == kind {
				return record
			}
		}
	}
	s.tb.Fatalf("the gatekeeper saw no %q", kind)
	return saw{}
}

// identity are the keys of a partner's user.
type identity struct {
	subject                  string
	noise, signal, signedKey wire.KeyPair
	registration             uint32
}

func newIdentity(subject string) *identity {
	return &identity{subject: subject, noise: wire.NewKeyPair(), signal: wire.NewKeyPair(), signedKey: wire.NewKeyPair(), registration: 4711}
}

func (i *identity) signature() []byte {
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(i.signal.Priv), append([]byte{ecc.DjbType}, i.signedKey.Pub[:]...))
	return signature[:]
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func (i *identity) form(token string) url.Values {
	return url.Values{
		"authkey": {b64(i.noise.Pub[:])}, "e_keytype": {b64([]byte{5})}, "e_regid": {b64(binary.BigEndian.AppendUint32(nil, i.registration))},
		"e_ident": {b64(i.signal.Pub[:])}, "e_skey_id": {b64([]byte{0, 0, 1})}, "e_skey_val": {b64(i.signedKey.Pub[:])},
		"e_skey_sig": {b64(i.signature())}, "token": {token}, "version": {"1.0.3"},
	}
}

// enlist posts a form and returns login or reason.
func (s *sandbox) enlist(form url.Values) (login, reason string) {
	s.tb.Helper()
	response, err := http.PostForm(s.EnlistURL(), form)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Status, Login, Reason string }
	if err = json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		s.tb.Fatalf("enlistment answered %s, %v", response.Status, err)
	}
	if (answer.Status == "ok") != (answer.Reason == "") {
		s.tb.Fatalf("contradicting answer %+v", answer)
	}
	return answer.Login, answer.Reason
}

// enlisted enlists a new partner's user and returns the account.
func (s *sandbox) enlisted(i *identity) types.JID {
	s.tb.Helper()
	login, reason := s.enlist(i.form(s.partner.token(s.tb, i.subject, nil)))
	jid, err := wire.ParseJID(login)
	if reason != "" || err != nil {
		s.tb.Fatalf("enlistment of %s: %s, %v", i.subject, reason, err)
	}
	return jid
}

// payload is the login of a partner client.
func (s *sandbox) payload(i *identity, account types.JID) *waWa6.ClientPayload {
	number := new(big64)
	number.parse(s.tb, account.User)
	return &waWa6.ClientPayload{
		Product: waWa6.ClientPayload_INTEROP.Enum(), Passive: proto.Bool(true), Pull: proto.Bool(true),
		UserAgent: &waWa6.ClientPayload_UserAgent{AppVersion: &waWa6.ClientPayload_UserAgent_AppVersion{
			Primary: proto.Uint32(1), Secondary: proto.Uint32(0), Tertiary: proto.Uint32(3),
		}},
		InteropData: &waWa6.ClientPayload_InteropData{
			AccountID: proto.Uint64(number.value), Token: []byte(s.partner.token(s.tb, i.subject, nil)), EnableReadReceipts: proto.Bool(true),
		},
	}
}

type big64 struct{ value uint64 }

func (n *big64) parse(tb testing.TB, text string) {
	if _, err := fmt.Sscan(text, &n.value); err != nil {
		tb.Fatal(err)
	}
}

// client is a raw client: it sends and reads stanzas as the test says.
type client struct {
	*wire.Conn
	tb testing.TB
}

// dial connects with a payload and returns the answer to the login.
func (s *sandbox) dial(static wire.KeyPair, payload *waWa6.ClientPayload) (*client, *waBinary.Node) {
	s.tb.Helper()
	conn, err := wire.Dial(s.tb.Context(), s.ChatURL(), nil, wire.ClientHandshake{
		Static: static, RootKey: s.RootKey(),
		Payload: func(context.Context) ([]byte, error) { return proto.Marshal(payload) },
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close(0) })
	c := &client{conn, s.tb}
	return c, c.read()
}

// login connects a partner's user.
func (s *sandbox) login(i *identity, account types.JID) *client {
	s.tb.Helper()
	c, answer := s.dial(i.noise, s.payload(i, account))
	if answer.Tag != "success" {
		s.tb.Fatalf("login answered with %v", answer)
	}
	return c
}

func (c *client) read() *waBinary.Node {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), patience)
	defer cancel()
	node, err := c.ReadNode(ctx)
	if err != nil {
		c.tb.Fatal(err)
	}
	return node
}

// await reads until a stanza with the tag comes.
func (c *client) await(tag string) *waBinary.Node {
	c.tb.Helper()
	for {
		if node := c.read(); node.Tag == tag {
			return node
		}
	}
}

func (c *client) write(node waBinary.Node) {
	c.tb.Helper()
	if err := c.WriteNode(c.tb.Context(), node); err != nil {
		c.tb.Fatal(err)
	}
}

// ask sends an iq and returns its answer.
func (c *client) ask(kind, xmlns string, content ...waBinary.Node) *waBinary.Node {
	c.tb.Helper()
	id := rand.Text()
	c.write(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": id, "type": kind, "xmlns": xmlns, "to": types.ServerJID}, Content: content})
	for {
		if node := c.await("iq"); node.Attrs["id"] == id {
			return node
		}
	}
}

func preKey(tag string, id byte, key wire.KeyPair) waBinary.Node {
	return waBinary.Node{Tag: tag, Content: []waBinary.Node{{Tag: "id", Content: []byte{0, 0, id}}, {Tag: "value", Content: key.Pub[:]}}}
}

// upload sends prekeys 1 to n.
func (c *client) upload(i *identity, n int) *waBinary.Node {
	c.tb.Helper()
	var keys []waBinary.Node
	for id := range n {
		keys = append(keys, preKey("key", byte(id+1), wire.NewKeyPair()))
	}
	signed := preKey("skey", 1, i.signedKey)
	signed.Content = append(signed.GetChildren(), waBinary.Node{Tag: "signature", Content: i.signature()})
	return c.ask("set", "encrypt",
		waBinary.Node{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, i.registration)},
		waBinary.Node{Tag: "type", Content: []byte{5}},
		waBinary.Node{Tag: "identity", Content: i.signal.Pub[:]},
		waBinary.Node{Tag: "list", Content: keys}, signed)
}

// activate starts the mailbox and reads what announces it.
func (c *client) activate() *waBinary.Node {
	c.tb.Helper()
	if answer := c.ask("set", "passive", waBinary.Node{Tag: "active"}); answer.Attrs["type"] != "result" {
		c.tb.Fatalf("active: %v", answer)
	}
	return c.await("ib")
}

// phone is a WhatsApp user's device, driven by hand.
type phone struct {
	*client
	identity    *identity
	number, lid types.JID
}

// phoneOf registers a device, logs it in and uploads keys.
func (s *sandbox) phoneOf(number string) *phone {
	s.tb.Helper()
	p := &phone{identity: newIdentity("")}
	p.number, p.lid = s.addresses(number, p.identity.noise.Pub)
	p.client = s.loginPhone(p)
	p.upload(p.identity, 20)
	return p
}

func (s *sandbox) loginPhone(p *phone) *client {
	s.tb.Helper()
	c, answer := s.dial(p.identity.noise, phonePayload(s.tb, p.number))
	if answer.Tag != "success" || answer.Attrs["lid"] != p.lid {
		s.tb.Fatalf("login answered with %v", answer)
	}
	return c
}

func phonePayload(tb testing.TB, number types.JID) *waWa6.ClientPayload {
	user := new(big64)
	user.parse(tb, number.User)
	return &waWa6.ClientPayload{Username: proto.Uint64(user.value), Device: proto.Uint32(uint32(number.Device)), Passive: proto.Bool(true), Pull: proto.Bool(true)}
}
