package provider_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rs/zerolog"

	"postern/provider"
)

// serveFor runs the server's goroutines in a bubble, for as long as do takes.
func (p *pushTest) serveFor(t *testing.T, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, silence{make(chan struct{})}) }()
	synctest.Wait()
	do()
	cancel()
	check(t, <-ended)
}

func TestPushWakesItsUser(t *testing.T) {
	keys, key := sharedKeys(), pushKey()
	synctest.Test(t, func(t *testing.T) {
		_, _ = keys, key // made outside of the bubble
		p := withPush(t, nil)
		p.serveFor(t, func() {
			w := p.push(goodPush, "Bearer "+p.good(t))
			if w.Code != http.StatusOK || w.Body.Len() != 0 {
				t.Errorf("status %d, %q", w.Code, w.Body)
			}
			synctest.Wait()
			if woken := p.woken.list(); !slices.Equal(woken, []string{"whatsapp @alice:example.org"}) {
				t.Errorf("woken: %q", woken)
			}
			// The same again is harmless, and so is a slash more, a list, another case of the scheme, and more members.
			list := p.claims(func(c map[string]any) { c["aud"] = []string{"https://other.example", "https://partner.example.org/"} })
			p.push(goodPush, "Bearer "+p.good(t))
			w = p.push(`{"to":"@alice:example.org","why":["message"]}`, "bearer "+sign(t, jose.RS256, pushKey(), "k1", list))
			if w.Code != http.StatusOK {
				t.Errorf("status %d", w.Code)
			}
			time.Sleep(time.Second)
			if woken := p.woken.list(); len(woken) != 2 {
				t.Errorf("woken: %q", woken)
			}
		})
	})
}

func TestAllInvalidPushesGetTheSameAnswer(t *testing.T) {
	p := withPush(t, nil)
	other := newRSA(t, 2048)
	der, err := x509.MarshalPKIXPublicKey(&pushKey().PublicKey)
	check(t, err)
	signed := func(change func(c map[string]any)) string {
		return sign(t, jose.RS256, pushKey(), "k1", p.claims(change))
	}
	at := p.clock.now().Unix()
	set := func(name string, value any) string { return signed(func(c map[string]any) { c[name] = value }) }
	unset := func(name string) string { return signed(func(c map[string]any) { delete(c, name) }) }
	good := p.good(t)
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	payload, err := json.Marshal(p.claims(nil))
	check(t, err)
	none := func(alg string) string {
		return encode([]byte(`{"alg":"`+alg+`","kid":"k1"}`)) + "." + encode(payload) + "."
	}
	embedded, err := json.Marshal(jose.JSONWebKey{Key: &other.PublicKey, KeyID: "k1", Algorithm: "RS256"})
	check(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: other, KeyID: "k1"}}, &jose.SignerOptions{EmbedJWK: true})
	check(t, err)
	object, err := signer.Sign(payload)
	check(t, err)
	withKey, err := object.CompactSerialize()
	check(t, err)
	if !bytes.Contains(decode(t, strings.Split(withKey, ".")[0]), embedded[:20]) {
		t.Fatal("the token holds no key")
	}
	invalid := map[string][]string{
		"no header":             nil,
		"empty":                 {""},
		"two headers":           {"Bearer " + good, "Bearer " + good},
		"another scheme":        {"Basic " + good},
		"no token":              {"Bearer "},
		"rubbish":               {"Bearer x.y.z"},
		"huge":                  {"Bearer " + strings.Repeat("a", 5000)},
		"forged":                {"Bearer " + sign(t, jose.RS256, other, "k1", p.claims(nil))},
		"forged, with its key":  {"Bearer " + withKey},
		"another's signature":   {"Bearer " + parts[0] + "." + encode([]byte(strings.Replace(string(payload), "3600", "3601", 1)+" ")) + "." + parts[2]},
		"unknown key":           {"Bearer " + sign(t, jose.RS256, pushKey(), "k2", p.claims(nil))},
		"no key named":          {"Bearer " + sign(t, jose.RS256, pushKey(), "", p.claims(nil))},
		"none":                  {"Bearer " + none("none")},
		"None":                  {"Bearer " + none("None")},
		"unsigned RS256":        {"Bearer " + none("RS256")},
		"HS256 with public DER": {"Bearer " + sign(t, jose.HS256, der, "k1", p.claims(nil))},
		"HS256 with public PEM": {"Bearer " + sign(t, jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "k1", p.claims(nil))},
		"PS256":                 {"Bearer " + sign(t, jose.PS256, pushKey(), "k1", p.claims(nil))},
		"RS512":                 {"Bearer " + sign(t, jose.RS512, pushKey(), "k1", p.claims(nil))},
		"expired":               {"Bearer " + set("exp", at-61)},
		"future":                {"Bearer " + set("nbf", at+61)},
		"made in the future":    {"Bearer " + set("iat", at+61)},
		"good for too long":     {"Bearer " + set("exp", at+3661)},
		"good for ever":         {"Bearer " + unset("exp")},
		"another audience":      {"Bearer " + set("aud", "https://other.example.org")},
		"longer audience":       {"Bearer " + set("aud", "https://partner.example.org.evil.example")},
		"no audience":           {"Bearer " + unset("aud")},
		"another issuer":        {"Bearer " + set("iss", "MESSENGER")},
		"no issuer":             {"Bearer " + unset("iss")},
		"our own token":         {"Bearer " + token(t, p.Provider)},
	}
	want := p.push(goodPush)
	for name, authorization := range invalid {
		for _, body := range []string{goodPush, "", strings.Repeat("x", 1<<20)} {
			w := p.push(body, authorization...)
			if w.Code != http.StatusUnauthorized || !bytes.Equal(w.Body.Bytes(), want.Body.Bytes()) || len(w.Header()) != len(want.Header()) {
				t.Errorf("%s: status %d, %q, %v", name, w.Code, w.Body, w.Header())
			}
		}
	}
	for name, good := range map[string]string{
		"expired a minute ago": set("exp", at-60), "good in a minute": set("nbf", at+60), "without the optional times": signed(func(c map[string]any) {
			delete(c, "nbf")
			delete(c, "iat")
		}),
	} {
		if w := p.push(goodPush, "Bearer "+good); w.Code != http.StatusOK {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

func TestValidPushesAreAnsweredTheSameWhoeverIsMeant(t *testing.T) {
	keys, key := sharedKeys(), pushKey()
	synctest.Test(t, func(t *testing.T) {
		_, _ = keys, key
		p := withPush(t, nil)
		p.serveFor(t, func() {
			want := p.push(goodPush, "Bearer "+p.good(t))
			for _, to := range []string{
				"@nobody:example.org", "@alice:other.example", "", "alice", "+4915112345678", "@" + strings.Repeat("a", 300) + ":example.org",
				"@al\u0000ice:example.org", "@alice:example.org ", "@alice:EXAMPLE.ORG",
			} {
				body, err := json.Marshal(map[string]string{"to": to})
				check(t, err)
				w := p.push(string(body), "Bearer "+p.good(t))
				if w.Code != want.Code || w.Body.Len() != 0 || fmt.Sprint(w.Header()) != fmt.Sprint(want.Header()) {
					t.Errorf("%q: status %d, %q, %v", to, w.Code, w.Body, w.Header())
				}
			}
			time.Sleep(time.Second)
			woken := p.woken.list()
			slices.Sort(woken)
			if want := []string{"whatsapp @alice:example.org", "whatsapp @nobody:example.org"}; !slices.Equal(woken, want) {
				t.Errorf("woken: %q", woken)
			}
		})
	})
}

func TestMalformedPushesAreNamed(t *testing.T) {
	p := withPush(t, nil)
	for body, want := range map[string]int{
		"":                  400,
		"{}":                400,
		"[]":                400,
		"null":              400,
		`{"to":null}`:       400,
		`{"to":1}`:          400,
		`{"to":["@a:b"]}`:   400,
		goodPush + goodPush: 400,
		`{"to":"` + strings.Repeat("a", 4096-9) + `"}`:   200,
		`{"to":"` + strings.Repeat("a", 4096-9+1) + `"}`: 413,
		strings.Repeat("[", 4096):                        400,
		strings.Repeat("[", 4097):                        413,
	} {
		if w := p.push(body, "Bearer "+p.good(t)); w.Code != want {
			t.Errorf("%.40q: status %d, want %d", body, w.Code, want)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if w := request(p.Provider, method, provider.PushPath); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: status %d", method, w.Code)
		}
	}
}

// TestManyPushesAreLittleWork: a thousand in a second, for one user and for users who do not exist.
func TestManyPushesAreLittleWork(t *testing.T) {
	keys, key := sharedKeys(), pushKey()
	synctest.Test(t, func(t *testing.T) {
		_, _ = keys, key
		p := withPush(t, nil)
		p.serveFor(t, func() {
			good := "Bearer " + p.good(t)
			for range 1000 {
				if w := p.push(goodPush, good); w.Code != http.StatusOK {
					t.Fatalf("status %d", w.Code)
				}
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Second)
			if woken := len(p.woken.list()); woken < 2 || woken > 11 {
				t.Errorf("one user was woken %d times", woken)
			}
			before := len(p.woken.list())
			for i := range 1000 {
				if w := p.push(fmt.Sprintf(`{"to":"@nobody%d:example.org"}`, i), good); w.Code != http.StatusOK {
					t.Fatalf("status %d", w.Code)
				}
			}
			time.Sleep(time.Second)
			if woken := len(p.woken.list()) - before; woken != 1000 {
				t.Errorf("%d of 1000 were tried", woken)
			}
			if fetches := p.server.fetches.Load(); fetches != 1 {
				t.Errorf("the keys were fetched %d times", fetches)
			}
		})
	})
}

func TestMoreUsersThanCanWaitAreSentAway(t *testing.T) {
	p := withPush(t, nil) // and nobody wakes them
	good := "Bearer " + p.good(t)
	for i := range 8192 {
		if w := p.push(fmt.Sprintf(`{"to":"@user%d:example.org"}`, i), good); w.Code != http.StatusOK {
			t.Fatalf("%d: status %d", i, w.Code)
		}
	}
	if w := p.push(goodPush, good); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more: status %d", w.Code)
	}
	if w := p.push(`{"to":"@user1:example.org"}`, good); w.Code != http.StatusOK {
		t.Errorf("one of them again: status %d", w.Code)
	}
}

func TestPushLogsNobody(t *testing.T) {
	var logged bytes.Buffer
	p := withPush(t, func(o *provider.Options) { o.Log = zerolog.New(&logged).Level(zerolog.TraceLevel) })
	p.push(goodPush, "Bearer "+p.good(t))
	p.push(goodPush, "Bearer "+p.good(t)+"x")
	p.push(goodPush, "Bearer "+sign(t, jose.RS256, pushKey(), "secret", p.claims(func(c map[string]any) { c["iss"] = "secret" })))
	for _, leak := range []string{"alice", "eyJ", "secret"} {
		if strings.Contains(logged.String(), leak) {
			t.Errorf("the log holds %q: %s", leak, logged.String())
		}
	}
}

func TestBadPushersAreNamed(t *testing.T) {
	for name, change := range map[string]func(o *provider.Options){
		"nobody to wake": func(o *provider.Options) { o.Wake = nil },
		"twice":          func(o *provider.Options) { o.Pushers = append(o.Pushers, o.Pushers[0]) },
		"an issuer":      func(o *provider.Options) { o.Pushers[0].Issuer = "" },
		"URL":            func(o *provider.Options) { o.Pushers[0].KeysURL = "file:///etc/passwd" },
	} {
		o := options(t, sharedKeys())
		o.Pushers = []provider.Pusher{{Gatekeeper: "whatsapp", Issuer: pushIssuer, KeysURL: pushKeys}}
		o.Wake = (&wakes{}).wake
		change(&o)
		if _, err := provider.New(context.Background(), o); !errors.Is(err, provider.ErrBadOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
