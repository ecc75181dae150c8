package gatekeeper_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

func TestEnlistmentGivesANumberAndKeepsIt(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	first := s.enlisted(alice)
	if first.Server != types.InteropServer || first.Integrator != integrator || len(first.User) != 14 {
		t.Errorf("got %+v", first)
	}
	if again := s.enlisted(alice); again != first {
		t.Errorf("a repeated request got another number: %v, %v", first, again)
	}
	if renewed := s.enlisted(newIdentity("@alice:example.org")); renewed != first {
		t.Errorf("other keys got another number: %v, %v", first, renewed)
	}
	if other := s.enlisted(newIdentity("@bob:example.org")); other == first {
		t.Error("two users got one number")
	}
}

func TestEnlistmentIsRefused(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	good := func() url.Values { return alice.form(s.partner.token(t, alice.subject, nil)) }
	token := func(change func(map[string]any)) func(url.Values) {
		return func(form url.Values) { form.Set("token", s.partner.token(t, alice.subject, change)) }
	}
	set := func(name, value string) func(url.Values) { return func(form url.Values) { form.Set(name, value) } }
	now := time.Now().Unix()
	for name, test := range map[string]struct {
		change func(url.Values)
		reason string
	}{
		"no such partner":            {token(func(c map[string]any) { c["integrator"] = 99 }), "bad_integrator"},
		"expired token":              {token(func(c map[string]any) { c["exp"], c["iat"], c["nbf"] = now-100, now-400, now-400 }), "bad_token"},
		"token from tomorrow":        {token(func(c map[string]any) { c["nbf"], c["exp"] = now+80000, now+80100 }), "bad_token"},
		"token for another audience": {token(func(c map[string]any) { c["aud"] = "someone" }), "bad_token"},
		"token of another issuer":    {token(func(c map[string]any) { c["iss"] = "https://evil.example" }), "bad_token"},
		"token without a subject":    {token(func(c map[string]any) { delete(c, "sub") }), "bad_token"},
		"token without a limit":      {token(func(c map[string]any) { delete(c, "exp") }), "bad_token"},
		"no token at all":            {func(form url.Values) { form.Del("token") }, "bad_request"},
		"nonsense for a token":       {set("token", "a.b.c"), "bad_token"},
		"token too long":             {set("token", strings.Repeat("x", 4097)), "bad_request"},
		"short key":                  {set("authkey", b64(make([]byte, 31))), "bad_request"},
		"padded base64":              {set("authkey", b64(alice.noise.Pub[:])+"="), "bad_request"},
		"standard base64":            {set("e_skey_sig", strings.Repeat("+/", 43)), "bad_request"},
		"missing field":              {func(form url.Values) { form.Del("e_skey_id") }, "bad_request"},
		"field twice":                {func(form url.Values) { form.Add("e_ident", form.Get("e_ident")) }, "bad_request"},
		"another key type":           {set("e_keytype", b64([]byte{6})), "bad_request"},
		"registration id 0":          {set("e_regid", b64(make([]byte, 4))), "bad_request"},
		"no version":                 {func(form url.Values) { form.Del("version") }, "bad_request"},
		"nonsense for a version":     {set("version", "1.0"), "bad_request"},
		"old version":                {set("version", "0.9.9"), "old_version"},
		"signature of another key":   {set("e_skey_val", b64(make([]byte, 32))), "bad_signature"},
		"form too large":             {set("extra", strings.Repeat("x", 1<<20)), "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			form := good()
			test.change(form)
			if login, reason := s.enlist(form); reason != test.reason {
				t.Errorf("got %q, %q, want %q", login, reason, test.reason)
			}
		})
	}
	if _, reason := s.enlist(good()); reason != "" {
		t.Errorf("the unchanged form is refused: %s", reason)
	}
}

// TestEnlistmentIsRefusedIfToldSo with any reason, and nothing is done.
func TestEnlistmentIsRefusedIfToldSo(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	s.fault("refuse-enlistments", map[string]any{"reason": "wrong_moon", "times": 2})
	for range 2 {
		if login, reason := s.enlist(alice.form(s.partner.token(t, alice.subject, nil))); login != "" || reason != "wrong_moon" {
			t.Errorf("got %q, %q", login, reason)
		}
	}
	var list struct{ Accounts []any }
	if s.control("GET", "/interop", nil, &list); len(list.Accounts) != 0 {
		t.Error("the user is enlisted all the same")
	}
	s.enlisted(alice)
}

func TestEnlistmentWaitsForThePartnersKeys(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	form := alice.form(s.partner.token(t, alice.subject, nil))
	s.partner.CloseClientConnections()
	s.partner.Config.Handler = http.NotFoundHandler()
	if _, reason := s.enlist(form); reason != "temporarily_unavailable" {
		t.Errorf("got %q", reason)
	}
}

func TestNewKeysEndSessionsAndAreToldToContacts(t *testing.T) {
	p := startPair(t)
	p.bob.write(letterTo("B1", p.aliceLID, p.aliceLID))
	p.bob.await("ack")
	renewed := newIdentity(p.keys.subject)
	p.enlisted(renewed)
	if end := p.alice.await("stream:error"); end.Attrs["code"] != "401" || end.GetChildByTag("conflict").Attrs["type"] != "device_removed" {
		t.Errorf("the old session got %v", end)
	}
	told := p.bob.await("notification")
	if told.Attrs["type"] != "encrypt" || told.Attrs["from"] != p.aliceLID || told.GetChildren()[0].Tag != "identity" {
		t.Errorf("Bob got %v", told)
	}
	if _, answer := p.dial(p.keys.noise, p.payload(p.keys, p.aliceJID)); answer.Attrs["reason"] != "401" {
		t.Errorf("the old key got %v", answer)
	}
	p.login(renewed, p.aliceJID)
	bundle := p.bob.ask("get", "encrypt", keyRequest(p.aliceLID))
	user := bundle.GetChildByTag("list", "user")
	identity := user.GetChildByTag("identity")
	if string(wire.Bytes(&identity)) != string(renewed.signal.Pub[:]) {
		t.Error("the old identity key is still handed out")
	}
}
