package provider_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"postern/provider"
)

// pushAs pushes with a token that this key signed under this name, and returns the status.
func (p *pushTest) pushAs(t testing.TB, key *rsa.PrivateKey, kid string) int {
	t.Helper()
	return p.push(goodPush, "Bearer "+sign(t, jose.RS256, key, kid, p.claims(nil))).Code
}

func (p *pushTest) wantFetches(t testing.TB, want int64) {
	t.Helper()
	if fetches := p.server.fetches.Load(); fetches != want {
		t.Errorf("the keys were fetched %d times, want %d", fetches, want)
	}
}

func TestRotatedKeysAreFoundWithinAMinute(t *testing.T) {
	p, second := withPush(t, nil), newRSA(t, 2048)
	if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
		t.Fatalf("status %d", status)
	}
	p.server.publishes(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey, "k2": &second.PublicKey})
	p.clock.advance(time.Minute - time.Second)
	if status := p.pushAs(t, second, "k2"); status != 401 {
		t.Errorf("asked again within a minute: status %d", status)
	}
	p.wantFetches(t, 1)
	p.clock.advance(time.Second)
	for range 3 {
		if status := p.pushAs(t, second, "k2"); status != 200 {
			t.Errorf("the new key: status %d", status)
		}
	}
	if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
		t.Errorf("the old key: status %d", status)
	}
	p.wantFetches(t, 2)
	// A key that is taken back is good no longer than an hour.
	p.server.publishes(map[string]*rsa.PublicKey{"k2": &second.PublicKey})
	p.clock.advance(time.Hour)
	if status := p.pushAs(t, pushKey(), "k1"); status != 401 {
		t.Errorf("a key that was taken back: status %d", status)
	}
	p.wantFetches(t, 3)
}

func TestUnknownKeysCostOneFetchAMinute(t *testing.T) {
	p, forger := withPush(t, nil), newRSA(t, 2048)
	for i := range 120 { // two minutes
		if status := p.pushAs(t, forger, fmt.Sprint("guess ", i)); status != 401 {
			t.Errorf("status %d", status)
		}
		p.clock.advance(time.Second)
	}
	p.wantFetches(t, 2)
}

func TestOldKeysServeWhileTheEndpointIsAway(t *testing.T) {
	down := func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }
	p := withPush(t, nil)
	p.server.answers(down)
	for range 3 {
		w := p.push(goodPush, "Bearer "+p.good(t))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "60" {
			t.Errorf("without keys: status %d", w.Code)
		}
	}
	p.wantFetches(t, 1)
	p.server.publishes(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey})
	p.clock.advance(time.Minute)
	if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
		t.Fatalf("status %d", status)
	}
	p.server.answers(down)
	p.clock.advance(24*time.Hour - time.Second)
	if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
		t.Errorf("after nearly a day: status %d", status)
	}
	p.wantFetches(t, 3)
	p.clock.advance(time.Second)
	if status := p.pushAs(t, pushKey(), "k1"); status != 503 {
		t.Errorf("after a day: status %d", status)
	}
}

func TestWhatIsNoKeySetIsLeftAlone(t *testing.T) {
	good := keySetOf(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey})
	small := newRSA(t, 1024)
	secret, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: []byte("secret"), KeyID: "k1", Algorithm: "HS256"}}})
	check(t, err)
	many := `{"keys":[` + strings.Repeat(`{"kty":"oct","kid":"x","k":"AA"},`, 32) + string(good[len(`{"keys":[`):])
	for name, answer := range map[string]struct {
		status int
		body   []byte
	}{
		"rubbish":           {200, []byte("<html>")},
		"nothing":           {200, nil},
		"empty":             {200, []byte(`{"keys":[]}`)},
		"another shape":     {200, []byte(`[1,2,3]`)},
		"deep":              {200, []byte(strings.Repeat("[", 60000))},
		"huge":              {200, append(good, bytes.Repeat([]byte(" "), 64<<10)...)},
		"too many":          {200, []byte(many)},
		"error":             {500, good},
		"not modified":      {304, good},
		"a secret":          {200, secret},
		"a small key":       {200, keySetOf(map[string]*rsa.PublicKey{"k1": &small.PublicKey})},
		"for encryption":    {200, bytes.Replace(good, []byte(`"sig"`), []byte(`"enc"`), 1)},
		"another algorithm": {200, bytes.Replace(good, []byte("RS256"), []byte("RS512"), 1)},
	} {
		p := withPush(t, nil)
		p.server.says(answer.status, answer.body)
		if status := p.pushAs(t, pushKey(), "k1"); status != 503 {
			t.Errorf("%s: status %d", name, status)
		}
		// And afterwards it works without a restart.
		p.server.says(200, good)
		p.clock.advance(time.Minute)
		if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
			t.Errorf("after %s: status %d", name, status)
		}
		// Nor does it push out the keys that are there.
		p.server.says(answer.status, answer.body)
		p.clock.advance(time.Hour)
		if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
			t.Errorf("%s in the place of keys: status %d", name, status)
		}
	}
	// Keys of other kinds beside a good one are no trouble.
	p := withPush(t, nil)
	p.server.says(200, []byte(`{"keys":[{"kty":"new","kid":"k0"},17,`+string(good[len(`{"keys":[`):])))
	if status := p.pushAs(t, pushKey(), "k1"); status != 200 {
		t.Errorf("beside unknown keys: status %d", status)
	}
}

func TestSlowEndpointIsAskedByOneAndNotForLong(t *testing.T) {
	keys, key := sharedKeys(), pushKey()
	synctest.Test(t, func(t *testing.T) {
		_, _ = keys, key
		p := withPush(t, func(o *provider.Options) { o.Now = nil })
		p.clock.advance(time.Since(p.clock.now())) // that of the bubble
		slow := func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		p.server.answers(slow)
		good := "Bearer " + p.good(t)
		var group sync.WaitGroup
		start := time.Now()
		for range 50 {
			group.Go(func() {
				if w := p.push(goodPush, good); w.Code != 503 {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		group.Wait()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("took %v", took)
		}
		p.wantFetches(t, 1)
		// With keys at hand nobody but the one who asks waits.
		p.server.publishes(map[string]*rsa.PublicKey{"k1": &key.PublicKey})
		time.Sleep(time.Minute)
		p.push(goodPush, good)
		p.server.answers(slow)
		time.Sleep(59 * time.Minute)
		p.clock.advance(time.Since(p.clock.now()))
		good = "Bearer " + p.good(t)
		time.Sleep(time.Minute)
		waited := make(chan time.Duration, 50)
		for range 50 {
			group.Go(func() {
				start := time.Now()
				if w := p.push(goodPush, good); w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
				waited <- time.Since(start)
			})
		}
		group.Wait()
		close(waited)
		waiting := 0
		for took := range waited {
			if took > 0 {
				waiting++
			}
		}
		if waiting != 1 {
			t.Errorf("%d of 50 waited", waiting)
		}
		p.wantFetches(t, 3)
	})
}

func TestRedirectsStayFewAndSafe(t *testing.T) {
	good := keySetOf(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey})
	for _, test := range []struct {
		name  string
		next  func(hop int) string
		after int
		want  int
	}{
		{"three", func(hop int) string { return fmt.Sprintf("https://www%d.example.com/jwks", hop) }, 3, 200},
		{"four", func(hop int) string { return fmt.Sprintf("https://www%d.example.com/jwks", hop) }, 4, 503},
		{"to http", func(int) string { return "http://gatekeeper.example.com/jwks" }, 1, 503},
		{"to a file", func(int) string { return "file:///etc/passwd" }, 1, 503},
	} {
		p, hops := withPush(t, nil), 0
		p.server.answers(func(r *http.Request) (*http.Response, error) {
			response := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(good)), Request: r}
			if hops++; hops <= test.after {
				response.StatusCode = http.StatusFound
				response.Header.Set("Location", test.next(hops))
			}
			return response, nil
		})
		if status := p.pushAs(t, pushKey(), "k1"); status != test.want {
			t.Errorf("%s: status %d", test.name, status)
		}
	}
}

// FuzzRemoteKeys does without signatures, whose paths through the code differ from run to run, which the fuzzer takes for news.
func FuzzRemoteKeys(f *testing.F) {
	f.Add(keySetOf(map[string]*rsa.PublicKey{"k1": &pushKey().PublicKey}))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"k1","x5c":["AAAA"]}]}`))
	f.Add([]byte(`{"keys":[null,{}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := provider.ParseRemoteKeys(body)
		if (err == nil) != (len(keys) > 0) || len(keys) > 32 || err == nil && len(body) > 64<<10 {
			t.Errorf("%d keys of %d bytes, %v", len(keys), len(body), err)
		}
		for kid, key := range keys {
			if kid == "" || len(kid) > 256 || key.N.BitLen() < 2048 || key.N.BitLen() > 8192 {
				t.Errorf("took key %q of %d bits", kid, key.N.BitLen())
			}
		}
	})
}
