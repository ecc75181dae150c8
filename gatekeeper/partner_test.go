package gatekeeper_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// partner is a partner server with one key.
type partner struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu    sync.Mutex
	files map[string]http.HandlerFunc // by storage reference; guarded by mu
	asked []string                    // the paths of what was fetched below /media; guarded by mu
	push  http.HandlerFunc            // answers pushes; nil takes them; guarded by mu
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
	p := &partner{key: partnerKey(), files: make(map[string]http.HandlerFunc)}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reference, ok := strings.CutPrefix(r.URL.Path, "/media/"); ok {
			p.serveFile(w, r, reference)
			return
		}
		if r.URL.Path == "/push" {
			p.servePush(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(set)
	}))
	tb.Cleanup(p.Close)
	return p
}

// keep makes the partner answer with a file of its own.
func (p *partner) keep(reference string, serve http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[reference] = serve
}

func (p *partner) serveFile(w http.ResponseWriter, r *http.Request, reference string) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.Path)
	serve := p.files[reference]
	p.mu.Unlock()
	if serve == nil {
		http.NotFound(w, r)
		return
	}
	serve(w, r)
}

// wasAsked returns the paths of the files that were fetched.
func (p *partner) wasAsked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
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
