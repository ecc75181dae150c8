package token_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"postern/gatekeeper/token"
)

// partner is a partner server that publishes the keys it is told to.
type partner struct {
	*httptest.Server
	body    atomic.Pointer[[]byte]
	fetches atomic.Int32
}

func newPartner(t *testing.T) *partner {
	p := &partner{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/oauth/openid/jwks" {
			t.Errorf("unexpected request for %s", r.URL.Path)
		}
		p.fetches.Add(1)
		if body := p.body.Load(); body != nil {
			_, _ = w.Write(*body)
		} else {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *partner) publish(body []byte) { p.body.Store(&body) }

func (p *partner) publishKey(t *testing.T, key *rsa.PrivateKey, id string) {
	t.Helper()
	body, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: id, Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	p.publish(body)
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerifyTakesGoodTokensAndRefusesEachKindOfBadOne(t *testing.T) {
	server, key, other := newPartner(t), newKey(t), newKey(t)
	server.publishKey(t, key, "k1")
	now := time.Now()
	verifier := token.NewVerifier([]token.Partner{{Integrator: 7, Issuer: server.URL, Audience: "whatsapp"}}, server.Client(), func() time.Time { return now })
	with := func(change map[string]any) map[string]any {
		claims := map[string]any{"iss": server.URL, "sub": "@alice:example.org", "aud": "whatsapp", "integrator": 7,
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "jti": "1"}
		for name, value := range change {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	good := sign(t, jose.RS256, key, "k1", with(nil))
	unsigned := "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ." + strings.Split(good, ".")[1] + "."
	publicAsSecret := sign(t, jose.HS256, key.PublicKey.N.Bytes(), "k1", with(nil))
	for name, test := range map[string]struct {
		token      string
		integrator uint16
		want       error
	}{
		"good":                         {good, 7, nil},
		"unknown integrator":           {good, 8, token.ErrUnknownPartner},
		"expired":                      {sign(t, jose.RS256, key, "k1", with(map[string]any{"iat": now.Unix() - 600, "nbf": nil, "exp": now.Unix() - 60})), 7, token.ErrExpired},
		"slow clock":                   {sign(t, jose.RS256, key, "k1", with(map[string]any{"exp": now.Unix() - 10})), 7, nil},
		"from the future":              {sign(t, jose.RS256, key, "k1", with(map[string]any{"nbf": now.Unix() + 90})), 7, token.ErrInvalid},
		"too long a life":              {sign(t, jose.RS256, key, "k1", with(map[string]any{"exp": now.Add(48 * time.Hour).Unix()})), 7, token.ErrInvalid},
		"without an end":               {sign(t, jose.RS256, key, "k1", with(map[string]any{"exp": nil})), 7, token.ErrInvalid},
		"for another audience":         {sign(t, jose.RS256, key, "k1", with(map[string]any{"aud": "messenger"})), 7, token.ErrInvalid},
		"by another issuer":            {sign(t, jose.RS256, key, "k1", with(map[string]any{"iss": "https://evil.example"})), 7, token.ErrInvalid},
		"for another integrator":       {sign(t, jose.RS256, key, "k1", with(map[string]any{"integrator": 8})), 7, token.ErrInvalid},
		"without a subject":            {sign(t, jose.RS256, key, "k1", with(map[string]any{"sub": nil})), 7, token.ErrInvalid},
		"by a key that is not theirs":  {sign(t, jose.RS256, other, "k1", with(nil)), 7, token.ErrInvalid},
		"by an unpublished key":        {sign(t, jose.RS256, other, "k2", with(nil)), 7, token.ErrInvalid},
		"without a key id":             {sign(t, jose.RS256, key, "", with(nil)), 7, token.ErrInvalid},
		"unsigned":                     {unsigned, 7, token.ErrInvalid},
		"HS256 with the public key":    {publicAsSecret, 7, token.ErrInvalid},
		"another RSA algorithm":        {sign(t, jose.PS256, key, "k1", with(nil)), 7, token.ErrInvalid},
		"rubbish":                      {"rubbish", 7, token.ErrInvalid},
		"too long":                     {good + strings.Repeat("A", token.MaxToken), 7, token.ErrInvalid},
		"with its signature cut short": {good[:len(good)-8], 7, token.ErrInvalid},
	} {
		subject, err := verifier.Verify(context.Background(), test.token, test.integrator)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, wanted %v", name, err, test.want)
		} else if err == nil && subject != "@alice:example.org" {
			t.Errorf("%s: subject %q", name, subject)
		} else if err != nil && strings.Contains(err.Error(), "eyJ") {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if n := server.fetches.Load(); n != 1 {
		t.Errorf("keys fetched %d times; unknown key ids must not make us ask each time", n)
	}
}

func TestKeysThatCannotBeFetchedAreToldApartFromBadTokens(t *testing.T) {
	for name, body := range map[string]string{
		"down":        "",
		"not JSON":    "<html>",
		"no keys":     `{"keys":[]}`,
		"too large":   `{"keys":["` + strings.Repeat("x", 70_000) + `"]}`,
		"small modul": `{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}`,
	} {
		server, key := newPartner(t), newKey(t)
		if body != "" {
			server.publish([]byte(body))
		}
		verifier := token.NewVerifier([]token.Partner{{Integrator: 1, Issuer: server.URL, Audience: "a"}}, server.Client(), time.Now)
		text := sign(t, jose.RS256, key, "k", map[string]any{"sub": "x"})
		if _, err := verifier.Verify(context.Background(), text, 1); !errors.Is(err, token.ErrKeysUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseKeySet(f *testing.F) {
	key := newKey(f)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k","n":"","e":""},{"kty":"EC"},1,null]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		keys, err := token.ParseKeySet(document)
		if err == nil && len(keys) == 0 {
			t.Error("no error and no keys")
		}
		for id, key := range keys {
			if id == "" || key.N.BitLen() < 2041 || key.E < 2 {
				t.Errorf("took a key that cannot be used: %q, %d bits, exponent %d", id, key.N.BitLen(), key.E)
			}
		}
	})
}
