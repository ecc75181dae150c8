package gatekeeper_test

import (
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

func TestLoginsOfPartnersAreRefused(t *testing.T) {
	s := start(t)
	alice := newIdentity("@alice:example.org")
	account := s.enlisted(alice)
	s.enlisted(newIdentity("@bob:example.org"))
	token := func(subject string, change func(map[string]any)) func(*waWa6.ClientPayload) {
		return func(p *waWa6.ClientPayload) { p.InteropData.Token = []byte(s.partner.token(t, subject, change)) }
	}
	now := time.Now().Unix()
	for name, test := range map[string]struct {
		change func(*waWa6.ClientPayload)
		reason string
	}{
		"another product":       {func(p *waWa6.ClientPayload) { p.Product = waWa6.ClientPayload_INTEROP_MSGR.Enum() }, "400"},
		"no account":            {func(p *waWa6.ClientPayload) { p.InteropData.AccountID = nil }, "400"},
		"unknown account":       {func(p *waWa6.ClientPayload) { p.InteropData.AccountID = proto.Uint64(1) }, "401"},
		"old version":           {func(p *waWa6.ClientPayload) { p.UserAgent.AppVersion.Primary = proto.Uint32(0) }, "405"},
		"no version":            {func(p *waWa6.ClientPayload) { p.UserAgent = nil }, "405"},
		"somebody else's token": {token("@bob:example.org", nil), "414"},
		"expired token":         {token(alice.subject, func(c map[string]any) { c["exp"], c["iat"], c["nbf"] = now-100, now-400, now-400 }), "413"},
		"wrong audience":        {token(alice.subject, func(c map[string]any) { c["aud"] = "someone" }), "414"},
		"unknown integrator":    {token(alice.subject, func(c map[string]any) { c["integrator"] = 99 }), "414"},
		"no token":              {func(p *waWa6.ClientPayload) { p.InteropData.Token = nil }, "414"},
	} {
		t.Run(name, func(t *testing.T) {
			payload := s.payload(alice, account)
			test.change(payload)
			_, answer := s.dial(alice.noise, payload)
			if answer.Tag != "failure" || answer.Attrs["reason"] != test.reason {
				t.Errorf("got %v, want %s", answer, test.reason)
			}
		})
	}
	t.Run("another key", func(t *testing.T) {
		if _, answer := s.dial(wire.NewKeyPair(), s.payload(alice, account)); answer.Attrs["reason"] != "401" {
			t.Errorf("got %v", answer)
		}
	})
	s.login(alice, account)
}

func TestLoginsOfPhonesAreRefused(t *testing.T) {
	s := start(t)
	s.account("+4915112345678", "Bob")
	bob := s.phoneOf("+4915112345678")
	payload := phonePayload(t, bob.number)
	for name, test := range map[string]struct {
		static  wire.KeyPair
		payload *waWa6.ClientPayload
		reason  string
	}{
		"another key":     {wire.NewKeyPair(), payload, "401"},
		"unknown device":  {bob.identity.noise, &waWa6.ClientPayload{Username: payload.Username, Device: proto.Uint32(9)}, "401"},
		"device too high": {bob.identity.noise, &waWa6.ClientPayload{Username: payload.Username, Device: proto.Uint32(70000)}, "400"},
		"unknown number":  {bob.identity.noise, &waWa6.ClientPayload{Username: proto.Uint64(4915100000000)}, "401"},
		"nobody":          {bob.identity.noise, &waWa6.ClientPayload{}, "400"},
	} {
		if _, answer := s.dial(test.static, test.payload); answer.Tag != "failure" || answer.Attrs["reason"] != test.reason {
			t.Errorf("%s: got %v, want %s", name, answer, test.reason)
		}
	}
}

func TestASecondConnectionReplacesTheFirst(t *testing.T) {
	p := startPair(t)
	second := p.login(p.keys, p.aliceJID)
	if end := p.alice.await("stream:error"); end.GetChildByTag("conflict").Attrs["type"] != "replaced" {
		t.Errorf("the first got %v", end)
	}
	second.activate()
	p.bob.write(letterTo("B1", p.aliceLID, p.aliceLID))
	if got := second.await("message"); got.Attrs["id"] != "B1" {
		t.Errorf("the second got %v", got)
	}
}

func TestWhoIsAwayFor30DaysIsEnlistedNoMore(t *testing.T) {
	p := startPair(t)
	p.bob.write(letterTo("B1", p.aliceLID, p.aliceLID))
	p.bob.await("ack")
	p.fault("drop", nil)
	const days = 24 * 60 * 60
	p.fault("clock", map[string]any{"offset_seconds": 31 * days})
	p.fault("expire-tokens", map[string]any{"on": false})
	payload := p.payload(p.keys, p.aliceJID)
	future := time.Now().Unix() + 31*days
	payload.InteropData.Token = []byte(p.partner.token(t, p.keys.subject, func(c map[string]any) {
		c["iat"], c["nbf"], c["exp"] = future, future, future+300
	}))
	if _, answer := p.dial(p.keys.noise, payload); answer.Attrs["reason"] != "401" {
		t.Errorf("got %v", answer)
	}
	if status := p.control("GET", "/accounts/"+wire.FormatJID(p.aliceJID), nil, nil); status != 404 {
		t.Errorf("the account is still there: status %d", status)
	}
}

func TestLeavingErasesTheAccount(t *testing.T) {
	p := startPair(t)
	if answer := p.bob.ask("set", "interop", waBinary.Node{Tag: "delete"}); answer.Attrs["type"] != "error" {
		t.Errorf("a WhatsApp user left through the interop interface: %v", answer)
	}
	if answer := p.alice.ask("set", "interop", waBinary.Node{Tag: "delete"}); answer.Attrs["type"] != "result" {
		t.Errorf("got %v", answer)
	}
	if end := p.alice.await("stream:error"); end.Attrs["code"] != "401" {
		t.Errorf("got %v", end)
	}
	if _, answer := p.dial(p.keys.noise, p.payload(p.keys, p.aliceJID)); answer.Attrs["reason"] != "401" {
		t.Errorf("login afterwards got %v", answer)
	}
	if again := p.enlisted(p.keys); again == p.aliceJID {
		t.Error("the erased account came back")
	}
}
