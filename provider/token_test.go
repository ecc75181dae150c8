package provider_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"postern/provider"
)

// publishedKey is a member of the key set, read by hand.
type publishedKey struct{ Kid, Kty, Alg, Use, N, E string }

// publishedKeys fetches the key set through the handler, as a gatekeeper does.
func publishedKeys(t testing.TB, p *provider.Provider) map[string]publishedKey {
	t.Helper()
	var set struct{ Keys []publishedKey }
	check(t, json.Unmarshal(get(t, p, provider.JWKSPath).Body.Bytes(), &set))
	keys := map[string]publishedKey{}
	for _, key := range set.Keys {
		keys[key.Kid] = key
	}
	return keys
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	check(t, err)
	return raw
}

// verify checks a token with crypto/rsa and encoding/json alone and returns its claims.
func verify(t testing.TB, p *provider.Provider, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts", len(parts))
	}
	var header struct{ Alg, Kid, Typ string }
	check(t, json.Unmarshal(decode(t, parts[0]), &header))
	key, ok := publishedKeys(t, p)[header.Kid]
	if header.Alg != "RS256" || header.Typ != "JWT" || !ok {
		t.Fatalf("header %+v, published key %t", header, ok)
	}
	public := &rsa.PublicKey{
		N: new(big.Int).SetBytes(decode(t, key.N)), E: int(new(big.Int).SetBytes(decode(t, key.E)).Int64()),
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	check(t, rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], decode(t, parts[2])))
	var claims map[string]any
	check(t, json.Unmarshal(decode(t, parts[1]), &claims))
	return claims
}

func TestTokenSaysWhoToWhomAndForHowLong(t *testing.T) {
	p := newProvider(t, sharedKeys())
	token, err := p.Token(context.Background(), "@alice:example.org", "messenger")
	check(t, err)
	claims := verify(t, p, token)
	seconds := float64(noon.Unix())
	for name, want := range map[string]any{
		"iss": "https://partner.example.org", "sub": "@alice:example.org", "aud": "messenger", "integrator": 65535.0,
		"iat": seconds, "nbf": seconds - 60, "exp": seconds + 300,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if id, _ := claims["jti"].(string); len(id) < 26 { // 128 bits in base32
		t.Errorf("jti is %q", id)
	}
	if len(claims) != 8 {
		t.Errorf("%d claims, want 8: %v", len(claims), claims)
	}
}

// TestTokenIsAcceptedByGoJose checks with another implementation, and that time and audience matter to it.
func TestTokenIsAcceptedByGoJose(t *testing.T) {
	p := newProvider(t, sharedKeys())
	token, err := p.Token(context.Background(), "@alice:example.org", "whatsapp")
	check(t, err)
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	check(t, err)
	var set jose.JSONWebKeySet
	check(t, json.Unmarshal(get(t, p, provider.JWKSPath).Body.Bytes(), &set))
	var claims jwt.Claims
	check(t, parsed.Claims(set, &claims))
	for name, test := range map[string]struct {
		at       time.Time
		audience string
		ok       bool
	}{
		"now":              {noon, "whatsapp", true},
		"at the end":       {noon.Add(provider.TokenLifetime), "whatsapp", true},
		"too late":         {noon.Add(provider.TokenLifetime + time.Second), "whatsapp", false},
		"too early":        {noon.Add(-2 * time.Minute), "whatsapp", false},
		"another audience": {noon, "messenger", false},
	} {
		// The issue time is left to a verifier's leeway, see tokenLeeway.
		expected := jwt.Expected{Issuer: "https://partner.example.org", AnyAudience: jwt.Audience{test.audience}, Time: test.at}
		if err = claims.ValidateWithLeeway(expected, 0); (err == nil) != test.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTokenIsRefused(t *testing.T) {
	p := newProvider(t, sharedKeys())
	long := "@" + strings.Repeat("a", 255-len("@:example.org"))
	for name, test := range map[string]struct {
		user, audience string
		want           error
	}{
		"user of another server":       {"@alice:example.com", "whatsapp", provider.ErrForeignUser},
		"user of a sub-domain":         {"@alice:sub.example.org", "whatsapp", provider.ErrForeignUser},
		"user of another port":         {"@alice:example.org:8448", "whatsapp", provider.ErrForeignUser},
		"domain in another case":       {"@alice:EXAMPLE.org", "whatsapp", provider.ErrForeignUser},
		"domain as part of the name":   {"@alice:evil.com:example.org", "whatsapp", provider.ErrForeignUser},
		"no domain":                    {"@alice", "whatsapp", provider.ErrInvalidUser},
		"empty domain":                 {"@alice:", "whatsapp", provider.ErrInvalidUser},
		"no name":                      {"@:example.org", "whatsapp", provider.ErrInvalidUser},
		"no at sign":                   {"alice:example.org", "whatsapp", provider.ErrInvalidUser},
		"room":                         {"!alice:example.org", "whatsapp", provider.ErrInvalidUser},
		"nobody":                       {"", "whatsapp", provider.ErrInvalidUser},
		"space":                        {"@ali ce:example.org", "whatsapp", provider.ErrInvalidUser},
		"control character":            {"@alice\x00:example.org", "whatsapp", provider.ErrInvalidUser},
		"look-alike":                   {"@аlice:example.org", "whatsapp", provider.ErrInvalidUser}, // Cyrillic
		"too long":                     {long + "a:example.org", "whatsapp", provider.ErrInvalidUser},
		"unknown audience":             {"@alice:example.org", "signal", provider.ErrUnknownAudience},
		"no audience":                  {"@alice:example.org", "", provider.ErrUnknownAudience},
		"longest name that is allowed": {long + ":example.org", "whatsapp", nil},
	} {
		token, err := p.Token(context.Background(), test.user, test.audience)
		if !errors.Is(err, test.want) || (token != "") != (test.want == nil) {
			t.Errorf("%s: got %q, %v, want %v", name, token, err, test.want)
		}
	}
}

func TestLongestTokenFitsTheGatekeepersLimit(t *testing.T) {
	o := options(t, sharedKeys())
	o.Issuer = "https://" + strings.Repeat("p", 512-len("https://"))
	o.Audiences = []provider.Audience{{Name: strings.Repeat("w", 512), Integrator: 65535}}
	p, err := provider.New(context.Background(), o)
	check(t, err)
	token, err := p.Token(context.Background(), "@"+strings.Repeat("a", 242)+":example.org", o.Audiences[0].Name)
	check(t, err)
	if len(token) > 4000 {
		t.Errorf("token has %d bytes", len(token))
	}
}

func TestTokenForAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newProvider(t, sharedKeys()).Token(ctx, "@alice:example.org", "whatsapp"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTokensAtOnceAreGoodAndDifferent(t *testing.T) {
	p := newProvider(t, sharedKeys())
	tokens := make([]string, 16)
	var group sync.WaitGroup
	for i := range tokens {
		group.Go(func() {
			var err error
			if tokens[i], err = p.Token(context.Background(), "@alice:example.org", "whatsapp"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[any]bool{}
	for _, token := range tokens {
		id := verify(t, p, token)["jti"]
		if seen[id] {
			t.Error("two tokens share an id")
		}
		seen[id] = true
	}
}

func FuzzTokenUser(f *testing.F) {
	for _, seed := range []string{"@alice:example.org", "@a:b:example.org", "@:example.org", "", "@\xff:example.org", "@a\n:example.org"} {
		f.Add(seed)
	}
	p := newProvider(f, sharedKeys())
	f.Fuzz(func(t *testing.T, user string) {
		token, err := p.Token(context.Background(), user, "whatsapp")
		if err != nil {
			return
		}
		if claims := verify(t, p, token); claims["sub"] != user || !strings.HasSuffix(user, ":example.org") {
			t.Errorf("a token for %q says %q", user, claims["sub"])
		}
	})
}

func BenchmarkToken(b *testing.B) {
	p := newProvider(b, sharedKeys())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := p.Token(context.Background(), "@alice:example.org", "whatsapp"); err != nil {
				b.Error(err)
			}
		}
	})
}
