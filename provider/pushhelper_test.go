package provider_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rs/zerolog"

	"postern/provider"
)

const (
	pushIssuer = "WHATSAPP"
	pushKeys   = "https://gatekeeper.example.com/.well-known/jwks"
	goodPush   = `{"to":"@alice:example.org"}`
)

// pushKey signs the pushes of all tests.
var pushKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// keyServer is the gatekeeper's key endpoint, without a network.
type keyServer struct {
	fetches atomic.Int64
	mu      sync.Mutex
	answer  func(r *http.Request) (*http.Response, error)
}

func (k *keyServer) RoundTrip(r *http.Request) (*http.Response, error) {
	k.fetches.Add(1)
	k.mu.Lock()
	answer := k.answer
	k.mu.Unlock()
	return answer(r)
}

func (k *keyServer) answers(answer func(r *http.Request) (*http.Response, error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

// says makes the endpoint answer with a status and a body.
func (k *keyServer) says(status int, body []byte) {
	k.answers(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r,
		}, nil
	})
}

// publishes makes the endpoint answer with these keys.
func (k *keyServer) publishes(keys map[string]*rsa.PublicKey) { k.says(http.StatusOK, keySetOf(keys)) }

func keySetOf(keys map[string]*rsa.PublicKey) []byte {
	var set jose.JSONWebKeySet
	for kid, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "RS256", Use: "sig"})
	}
	body, err := json.Marshal(set)
	if err != nil {
		panic(err)
	}
	return body
}

// wakes notes who is woken.
type wakes struct {
	mu   sync.Mutex
	seen []string
}

func (w *wakes) wake(_ context.Context, gatekeeper, user string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, gatekeeper+" "+user)
}

func (w *wakes) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.seen...)
}

type pushTest struct {
	*provider.Provider
	clock  *clock
	server *keyServer
	woken  *wakes
}

// withPush makes a partner server that one gatekeeper can push to, with the key "k1". change may be nil.
func withPush(t testing.TB, change func(o *provider.Options)) *pushTest {
	t.Helper()
	p := &pushTest{clock: newClock(), server: &keyServer{}, woken: &wakes{}}
	p.server.publishes(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey})
	o := options(t, sharedKeys())
	o.Log = zerolog.Nop()
	o.Now = p.clock.now
	o.Pushers = []provider.Pusher{{Gatekeeper: "whatsapp", Issuer: pushIssuer, KeysURL: pushKeys}}
	o.Wake, o.PushKeys = p.woken.wake, p.server
	if change != nil {
		change(&o)
	}
	var err error
	p.Provider, err = provider.New(context.Background(), o)
	check(t, err)
	return p
}

// pushClaims are good at the clock's time; change may make them bad.
func (p *pushTest) claims(change func(claims map[string]any)) map[string]any {
	now := p.clock.now().Unix()
	claims := map[string]any{
		"iss": pushIssuer, "aud": "https://partner.example.org", "iat": now, "nbf": now, "exp": now + 3600,
	}
	if change != nil {
		change(claims)
	}
	return claims
}

// sign makes a token. The key is of the kind that the algorithm wants.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, claims any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	check(t, err)
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	check(t, err)
	return token
}

func (p *pushTest) good(t testing.TB) string {
	return sign(t, jose.RS256, pushKey(), "k1", p.claims(nil))
}

// push sends one and returns the answer.
func (p *pushTest) push(body string, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://partner.example.org"+provider.PushPath, strings.NewReader(body))
	for _, one := range authorization {
		r.Header.Add("Authorization", one)
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, r)
	return w
}
