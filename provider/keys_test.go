package provider_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/provider"
)

// thumbprint computes the key's name by hand, as RFC 7638 has it.
func thumbprint(key *rsa.PrivateKey) string {
	text := fmt.Sprintf(`{"e":"AQAB","kty":"RSA","n":"%s"}`, base64.RawURLEncoding.EncodeToString(key.N.Bytes()))
	hash := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

func stored(t testing.TB, state provider.KeyState, key any, id string) provider.StoredKey {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return provider.StoredKey{ID: id, State: state, PKCS8: der, Created: noon, Published: noon, Retired: noon}
}

func TestFirstStartMakesAKeyAndLaterOnesKeepIt(t *testing.T) {
	keys := &memoryKeys{}
	first := newProvider(t, keys)
	if len(keys.keys) != 1 {
		t.Fatalf("%d keys are stored", len(keys.keys))
	}
	key := keys.keys[0]
	parsed, err := x509.ParsePKCS8PrivateKey(key.PKCS8)
	check(t, err)
	private := parsed.(*rsa.PrivateKey)
	if private.N.BitLen() != 2048 || key.ID != thumbprint(private) || key.State != provider.KeyActive ||
		!key.Created.Equal(noon) || !key.Published.Equal(noon) {
		t.Errorf("stored %d bits, id %s, state %s", private.N.BitLen(), key.ID, key.State)
	}
	second := newProvider(t, keys)
	token, err := first.Token(context.Background(), "@alice:example.org", "whatsapp")
	check(t, err)
	verify(t, second, token)
	if len(keys.keys) != 1 {
		t.Errorf("the second start made another key")
	}
}

func TestAllKeysArePublishedAndTheActiveOneSigns(t *testing.T) {
	next, active, retired := newRSA(t, 2048), newRSA(t, 3072), newRSA(t, 2048)
	keys := &memoryKeys{keys: []provider.StoredKey{
		stored(t, provider.KeyNext, next, thumbprint(next)),
		stored(t, provider.KeyActive, active, thumbprint(active)),
		stored(t, provider.KeyRetired, retired, thumbprint(retired)),
	}}
	p := newProvider(t, keys)
	published := publishedKeys(t, p)
	for _, key := range []*rsa.PrivateKey{next, active, retired} {
		if got := published[thumbprint(key)]; !bytes.Equal(decode(t, got.N), key.N.Bytes()) {
			t.Errorf("key %s is not published as it is", thumbprint(key))
		}
	}
	token, err := p.Token(context.Background(), "@alice:example.org", "whatsapp")
	check(t, err)
	verify(t, p, token)
	header := string(decode(t, strings.Split(token, ".")[0]))
	if !strings.Contains(header, thumbprint(active)) {
		t.Errorf("signed by another key: %s", header)
	}
}

func TestDamagedKeysAreRefused(t *testing.T) {
	good := newRSA(t, 2048)
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	small := newRSA(t, 1024)
	for name, key := range map[string]provider.StoredKey{
		"no bytes":        {ID: "x", State: provider.KeyActive},
		"rubbish":         {ID: "x", State: provider.KeyActive, PKCS8: []byte("rubbish")},
		"another kind":    stored(t, provider.KeyActive, elliptic, "x"),
		"too small":       stored(t, provider.KeyActive, small, thumbprint(small)),
		"another's name":  stored(t, provider.KeyActive, good, "x"),
		"retired rubbish": {ID: "x", State: provider.KeyRetired, Retired: noon, PKCS8: []byte("rubbish")},
	} {
		_, err := provider.New(context.Background(), options(t, &memoryKeys{keys: []provider.StoredKey{key}}))
		if !errors.Is(err, provider.ErrBadKey) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

type brokenKeys struct{ load, add error }

func (b brokenKeys) SigningKeys(context.Context) ([]provider.StoredKey, error) { return nil, b.load }
func (b brokenKeys) AddFirstKey(context.Context, provider.StoredKey) error     { return b.add }
func (b brokenKeys) AddNextKey(context.Context, provider.StoredKey) error      { return b.add }
func (b brokenKeys) RotateKeys(context.Context, string, string, time.Time) error {
	return b.add
}
func (b brokenKeys) RemoveRetiredKeys(context.Context, time.Time) error { return b.add }

func TestErrorsOfTheStoreComeThrough(t *testing.T) {
	failure := errors.New("disk on fire")
	for name, store := range map[string]brokenKeys{"load": {load: failure}, "add": {add: failure}} {
		if _, err := provider.New(context.Background(), options(t, store)); !errors.Is(err, failure) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := provider.New(context.Background(), options(t, brokenKeys{})); err == nil {
		t.Error("a store that forgets the key is no error")
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	for name, change := range map[string]func(o *provider.Options){
		"public URL":  func(o *provider.Options) { o.Issuer = "" },
		"example.org": func(o *provider.Options) { o.Issuer = "partner.example.org" },
		"like https":  func(o *provider.Options) { o.Issuer = "ftp://partner.example.org" },
		"must be":     func(o *provider.Options) { o.Issuer = "https://partner.example.org/?a=b" },
		"https://":    func(o *provider.Options) { o.Issuer = "https://user:pw@partner.example.org" },
		"domain":      func(o *provider.Options) { o.Domain = "" },
		"store":       func(o *provider.Options) { o.Keys = nil },
		"1 to":        func(o *provider.Options) { o.Audiences = []provider.Audience{{}} },
		"twice":       func(o *provider.Options) { o.Audiences = append(o.Audiences, provider.Audience{Name: "whatsapp"}) },
		"512 bytes":   func(o *provider.Options) { o.Audiences = []provider.Audience{{Name: strings.Repeat("a", 513)}} },
	} {
		o := options(t, sharedKeys())
		change(&o)
		_, err := provider.New(context.Background(), o)
		if !errors.Is(err, provider.ErrBadOptions) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestPrivateKeyIsNotLogged(t *testing.T) {
	var logged bytes.Buffer
	keys := &memoryKeys{}
	o := options(t, keys)
	o.Log = zerolog.New(&logged).Level(zerolog.TraceLevel)
	p, err := provider.New(context.Background(), o)
	check(t, err)
	token, err := p.Token(context.Background(), "@alice:example.org", "whatsapp")
	check(t, err)
	for name, secret := range map[string]string{
		"token": token, "user": "alice", "key": base64.StdEncoding.EncodeToString(keys.keys[0].PKCS8)[:40],
	} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("the log holds the %s", name)
		}
	}
	if !strings.Contains(logged.String(), keys.keys[0].ID) {
		t.Errorf("the log does not tell which key is used: %s", logged.String())
	}
}

func FuzzStoredKey(f *testing.F) {
	f.Add(sharedKeys().keys[0].PKCS8, sharedKeys().keys[0].ID)
	f.Add([]byte{0x30, 0x82, 0xff, 0xff}, "")
	f.Fuzz(func(t *testing.T, der []byte, id string) {
		o := options(t, &memoryKeys{keys: []provider.StoredKey{{ID: id, State: provider.KeyActive, PKCS8: der}}})
		o.Log = zerolog.Nop()
		p, err := provider.New(context.Background(), o)
		if err != nil {
			if !errors.Is(err, provider.ErrBadKey) {
				t.Errorf("got %v", err)
			}
			return
		}
		if token, err := p.Token(context.Background(), "@alice:example.org", "whatsapp"); err == nil {
			verify(t, p, token)
		}
	})
}
