package gatekeeper_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

// The targets of this file talk to a running server, so that what is tested is what a stranger reaches. A handler that
// panics ends its connection, which fails the run.

func FuzzEnlistmentForm(f *testing.F) {
	s := start(f)
	alice := newIdentity("@alice:example.org")
	form := alice.form(s.partner.token(f, alice.subject, func(c map[string]any) { c["integrator"] = 99 }))
	f.Add([]byte(form.Encode()))
	form.Set("e_keytype", "BQ==")
	f.Add([]byte(form.Encode()))
	f.Add([]byte("authkey=%zz&token"))
	f.Fuzz(func(t *testing.T, body []byte) {
		response, err := http.Post(s.EnlistURL(), "application/x-www-form-urlencoded", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct{ Status, Reason string }
		if err = json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", response.Status, err)
		}
		if answer.Status != "fail" || answer.Reason == "" || answer.Reason == "temporarily_unavailable" {
			t.Fatalf("answered %+v", answer)
		}
	})
}

func FuzzLoginPayload(f *testing.F) {
	s := start(f)
	alice := newIdentity("@alice:example.org")
	payload := s.payload(alice, s.enlisted(alice))
	for _, seed := range []*waWa6.ClientPayload{payload, phonePayload(f, types.NewJID("4915112345678", types.DefaultUserServer)), {}} {
		raw, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{0xff})
	stranger := wire.NewKeyPair() // so that no payload can be right
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > wire.MaxLoginPayload {
			return
		}
		conn, err := wire.Dial(t.Context(), s.ChatURL(), nil, wire.ClientHandshake{
			Static: stranger, RootKey: s.RootKey(), Payload: func(context.Context) ([]byte, error) { return raw, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(0)
		answer, err := conn.ReadNode(t.Context())
		if err != nil || answer.Tag != "failure" || answer.Attrs["reason"] == "500" {
			t.Fatalf("answered %v, %v", answer, err)
		}
	})
}

// FuzzStanza sends whatever the decoder takes, as a WhatsApp client and as a partner's, and expects both connections to
// answer afterwards.
func FuzzStanza(f *testing.F) {
	p := startPair(f)
	bob := p.bob.number
	receipt := waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "A1", "to": bob, "type": "retry"}, Content: []waBinary.Node{
		{Tag: "retry", Attrs: waBinary.Attrs{"count": "1", "id": "A1", "t": "1", "v": "1"}}, {Tag: "registration", Content: []byte{0, 0, 0, 1}},
		{Tag: "keys", Content: []waBinary.Node{{Tag: "identity", Content: make([]byte, 32)}, preKey("key", 1, p.keys.signal), preKey("skey", 1, p.keys.signal)}},
	}}
	iq := func(kind, xmlns string, content ...waBinary.Node) waBinary.Node {
		return waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": "1", "type": kind, "xmlns": xmlns, "to": types.ServerJID}, Content: content}
	}
	for _, seed := range []waBinary.Node{
		letterTo("A1", bob, bob), letterTo("A2", p.aliceLID, p.aliceLID), receipt,
		{Tag: "message", Attrs: waBinary.Attrs{"id": "A3", "to": bob}, Content: []waBinary.Node{enc("msg", "x")}},
		{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": "A1", "to": bob}},
		{Tag: "chatstate", Attrs: waBinary.Attrs{"to": bob}, Content: []waBinary.Node{{Tag: "composing"}}},
		{Tag: "presence", Attrs: waBinary.Attrs{"type": "subscribe", "to": bob}},
		{Tag: "presence", Attrs: waBinary.Attrs{"type": "available", "name": "x"}},
		iq("get", "encrypt", keyRequest(bob, p.aliceLID)), iq("get", "encrypt", waBinary.Node{Tag: "digest"}),
		iq("set", "encrypt", waBinary.Node{Tag: "rotate", Content: []waBinary.Node{preKey("skey", 1, p.keys.signal)}}),
		iq("get", "usync", waBinary.Node{Tag: "usync", Content: []waBinary.Node{
			{Tag: "query", Content: []waBinary.Node{{Tag: "devices"}, {Tag: "contact"}, {Tag: "lid"}, {Tag: "picture"}}},
			{Tag: "list", Content: []waBinary.Node{byJID(bob), byPhone("+4915112345678")}},
		}}),
		iq("set", "blocklist", waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"action": "block", "jid": bob}}),
		iq("set", "privacy", waBinary.Node{Tag: "privacy", Content: []waBinary.Node{{Tag: "category", Attrs: waBinary.Attrs{"name": "last", "value": "none"}}}}),
		iq("get", "w:profile:picture", waBinary.Node{Tag: "picture"}), iq("set", "w:m", waBinary.Node{Tag: "media_conn"}),
		iq("get", "abt"), iq("set", "passive", waBinary.Node{Tag: "active"}), {Tag: "unknown"},
	} {
		data, err := wire.EncodeStanza(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		node, err := wire.DecodeStanza(data)
		if err != nil || strings.HasPrefix(attrText(node, "xmlns"), "interop") {
			return // Alice must not leave
		}
		for _, c := range []*client{p.alice, p.bob.client} {
			if err = c.WriteStanzas(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			ping := iq("get", "w:p")
			ping.Attrs["id"] = rand.Text()
			if err = c.WriteNode(t.Context(), ping); err != nil {
				t.Fatal(err)
			}
			for {
				answer, err := c.ReadNode(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if answer.Tag == "iq" && answer.Attrs["id"] == ping.Attrs["id"] {
					break
				}
			}
		}
	})
}

func attrText(node *waBinary.Node, name string) string {
	text, _ := node.Attrs[name].(string)
	return text
}

func FuzzControlBody(f *testing.F) {
	s := start(f)
	s.account("+4915112345678", "Bob")
	f.Add(uint8(0), []byte(`{"phone":"+4915100000001","name":"Carol"}`))
	f.Add(uint8(1), []byte(`{"name":"Robert","third_party":false}`))
	f.Add(uint8(2), []byte(`{"noise_key":"`+strings.Repeat("00", 32)+`","number":7}`))
	f.Add(uint8(3), []byte(`{"code":503,"times":1}`))
	f.Add(uint8(4), []byte(`{"delay_ms":1,"drop":1}`))
	f.Add(uint8(5), []byte(`{"account":"4915112345678","count":1}`))
	f.Add(uint8(6), []byte(`{"account":"4915112345678","code":503,"conflict":"replaced"}`))
	f.Add(uint8(7), []byte(`{"offset_seconds":5}`))
	f.Add(uint8(8), []byte(`{"mode":"flip","times":2}`))
	verbs := []struct{ method, path string }{
		{"POST", "/accounts"}, {"PATCH", "/accounts/4915112345678"}, {"POST", "/accounts/4915112345678/devices"}, {"POST", "/faults/refuse-logins"},
		{"POST", "/faults/acks"}, {"POST", "/faults/corrupt"}, {"POST", "/faults/stream-error"}, {"POST", "/faults/clock"},
		{"POST", "/faults/media"},
	}
	f.Fuzz(func(t *testing.T, verb uint8, body []byte) {
		chosen := verbs[int(verb)%len(verbs)]
		request, err := http.NewRequestWithContext(t.Context(), chosen.method, s.ControlURL()+chosen.path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer map[string]any
		if err = json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode >= 500 {
			t.Fatalf("%s: %v, %v", response.Status, answer, err)
		}
	})
}
