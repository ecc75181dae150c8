package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"postern/provider"
)

func FuzzPush(f *testing.F) {
	for _, seed := range []string{goodPush, `{"to":"@a:other"}`, `{"TO":"@a:example.org"}`, `{"to":"\ud800"}`, `{}`, "[[[[", `{"to":"@a:example.org","to":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		user, ok := provider.ParsePush([]byte(body))
		if ok && !json.Valid([]byte(body)) || !ok && user != "" {
			t.Errorf("%q was taken as a push for %q", body, user)
		}
		if !ok {
			return
		}
		again, err := json.Marshal(map[string]string{"to": user})
		check(t, err)
		if second, ok := provider.ParsePush(again); !ok || second != user {
			t.Errorf("%q became %q", user, second)
		}
	})
}

func FuzzPushToken(f *testing.F) {
	p := withPush(f, nil)
	good := p.good(f)
	f.Add(good)
	f.Add(strings.Repeat(".", 20))
	f.Add(`eyJhbGciOiJub25lIn0.e30.`)
	f.Add(sign(f, jose.HS256, bytes.Repeat([]byte("k"), 32), "k1", p.claims(nil)))
	f.Add(sign(f, jose.RS256, pushKey(), "k1", p.claims(func(c map[string]any) { c["exp"] = 1e300 })))
	f.Fuzz(func(t *testing.T, text string) {
		if w := p.push(goodPush, "Bearer "+text); w.Code != http.StatusUnauthorized && !sameToken(text, good) {
			t.Errorf("status %d", w.Code)
		}
	})
}

// sameToken compares what is signed: base64 can write the same bytes in several ways.
func sameToken(one, other string) bool {
	return slices.EqualFunc(strings.Split(one, "."), strings.Split(other, "."), func(one, other string) bool {
		a, errA := base64.RawURLEncoding.DecodeString(strings.Join(strings.Fields(one), ""))
		b, errB := base64.RawURLEncoding.DecodeString(other)
		return errA == nil && errB == nil && bytes.Equal(a, b)
	})
}
