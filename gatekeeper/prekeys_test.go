package gatekeeper_test

import (
	"fmt"
	"testing"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

func keyRequest(devices ...types.JID) waBinary.Node {
	node := waBinary.Node{Tag: "key"}
	var users []waBinary.Node
	for _, device := range devices {
		users = append(users, waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device, "reason": "identity"}})
	}
	node.Content = users
	return node
}

// oneTimeID returns the id of the one-time prekey in a bundle, "" if there is none.
func oneTimeID(answer *waBinary.Node) string {
	id := answer.GetChildByTag("list", "user", "key", "id")
	return fmt.Sprintf("%x", wire.Bytes(&id))
}

func TestOneTimePreKeysAreHandedOutOnceAndTheOwnerHearsWhenTheyRunLow(t *testing.T) {
	p := startPair(t)
	count := func() any {
		answer := p.bob.ask("get", "encrypt", waBinary.Node{Tag: "count"})
		return answer.GetChildByTag("count").Attrs["value"]
	}
	if got := count(); got != "20" {
		t.Errorf("count %v", got)
	}
	seen := make(map[string]bool)
	for range 20 {
		id := oneTimeID(p.alice.ask("get", "encrypt", keyRequest(p.bob.number)))
		if id == "" || seen[id] {
			t.Errorf("prekey %q handed out twice or missing", id)
		}
		seen[id] = true
	}
	answer := p.alice.ask("get", "encrypt", keyRequest(p.bob.number))
	if id := oneTimeID(answer); id != "" {
		t.Errorf("a 21st prekey came from nowhere: %s", id)
	}
	if user := answer.GetChildByTag("list", "user"); user.Attrs["jid"] != p.bob.number || len(user.GetChildren()) != 4 {
		t.Errorf("bundle without a one-time prekey: %v", answer)
	}
	for _, want := range []string{"9", "0"} {
		low := p.bob.await("notification")
		if value := low.GetChildByTag("count").Attrs["value"]; low.Attrs["from"] != types.ServerJID || low.Attrs["type"] != "encrypt" || value != want {
			t.Errorf("got %v, want a count of %s", low, want)
		}
		p.bob.write(waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "notification", "id": low.Attrs["id"], "type": "encrypt", "to": low.Attrs["from"]}})
	}
	p.bob.upload(p.bob.identity, 30)
	if got := count(); got != "30" {
		t.Errorf("count after the upload: %v", got)
	}
}

func TestKeysOfWhoCannotBeWrittenToAreNotGiven(t *testing.T) {
	p := startPair(t)
	p.control("PATCH", "/accounts/4915112345678", map[string]any{"third_party": false}, nil)
	unknown := types.NewJID("4915100000009", types.DefaultUserServer)
	ghost := p.bob.number
	ghost.Device = 5
	answer := p.alice.ask("get", "encrypt", keyRequest(p.bob.number, unknown, ghost))
	list := answer.GetChildByTag("list")
	var codes []any
	for _, user := range list.GetChildren() {
		codes = append(codes, user.GetChildByTag("error").Attrs["code"])
	}
	if fmt.Sprint(codes) != "[403 404 404]" {
		t.Errorf("got %v", codes)
	}
}

func TestASignedPreKeyIsRotatedIfItsSignatureIsRight(t *testing.T) {
	p := startPair(t)
	fresh := wire.NewKeyPair()
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(p.keys.signal.Priv), append([]byte{ecc.DjbType}, fresh.Pub[:]...))
	rotate := func(signature []byte) *waBinary.Node {
		signed := preKey("skey", 2, fresh)
		signed.Content = append(signed.GetChildren(), waBinary.Node{Tag: "signature", Content: signature})
		return p.alice.ask("set", "encrypt", waBinary.Node{Tag: "rotate", Content: []waBinary.Node{signed}})
	}
	if answer := rotate(make([]byte, 64)); answer.Attrs["type"] != "error" {
		t.Errorf("a wrong signature was taken: %v", answer)
	}
	if answer := rotate(signature[:]); answer.Attrs["type"] != "result" {
		t.Errorf("got %v", answer)
	}
	bundle := p.bob.ask("get", "encrypt", keyRequest(p.aliceLID))
	value := bundle.GetChildByTag("list", "user", "skey", "value")
	if string(wire.Bytes(&value)) != string(fresh.Pub[:]) {
		t.Error("the old signed prekey is still handed out")
	}
	digest := p.alice.ask("get", "encrypt", waBinary.Node{Tag: "digest"})
	id, ids := digest.GetChildByTag("digest", "skey", "id"), digest.GetChildByTag("digest", "list")
	if string(wire.Bytes(&id)) != "\x00\x00\x02" || len(ids.GetChildren()) != 19 {
		t.Errorf("digest %v", digest)
	}
}

func TestUploadsAreRefused(t *testing.T) {
	p := startPair(t)
	if answer := p.alice.upload(newIdentity(""), 1); answer.Attrs["type"] != "error" {
		t.Error("a partner's user changed the identity without enlisting")
	}
	for name, content := range map[string][]waBinary.Node{
		"nothing":               nil,
		"a rotation of nothing": {{Tag: "rotate"}},
		"a short identity":      {{Tag: "registration", Content: []byte{0, 0, 0, 1}}, {Tag: "type", Content: []byte{5}}, {Tag: "identity", Content: []byte("short")}},
	} {
		if answer := p.alice.ask("set", "encrypt", content...); answer.Attrs["type"] != "error" || answer.GetChildByTag("error").Attrs["code"] != "406" {
			t.Errorf("%s: got %v", name, answer)
		}
	}
	if answer := p.alice.ask("get", "no:such:thing"); answer.GetChildByTag("error").Attrs["code"] != "501" {
		t.Errorf("unknown request: got %v", answer)
	}
}

func TestANewIdentityOrDeviceIsToldToContacts(t *testing.T) {
	p := startPair(t)
	p.alice.write(letterTo("A1", p.bob.number, p.bob.number))
	p.alice.await("ack")
	p.bob.upload(newIdentity(""), 5)
	told := p.alice.await("notification")
	if told.Attrs["type"] != "encrypt" || told.Attrs["from"] != p.bob.number || told.GetChildren()[0].Tag != "identity" {
		t.Errorf("identity: Alice got %v", told)
	}
	second := p.phoneOf("+4915112345678")
	told = p.alice.await("notification")
	if told.Attrs["type"] != "devices" || told.Attrs["from"] != p.bob.number.ToNonAD() || told.GetChildren()[0].Tag != "update" {
		t.Errorf("device: Alice got %v", told)
	}
	if told = p.bob.await("notification"); told.Attrs["type"] != "devices" || told.Attrs["from"] != p.bob.lid.ToNonAD() {
		t.Errorf("device: Bob's first device got %v", told)
	}
	p.control("DELETE", fmt.Sprint("/accounts/4915112345678/devices/", second.number.Device), nil, nil)
	if end := second.await("stream:error"); end.Attrs["code"] != "401" {
		t.Errorf("removed device got %v", end)
	}
	if told = p.alice.await("notification"); told.Attrs["type"] != "devices" {
		t.Errorf("removal: Alice got %v", told)
	}
	p.control("PUT", "/accounts/4915112345678/picture", []byte("picture"), nil)
	told = p.alice.await("notification")
	if set := told.GetChildByTag("set"); told.Attrs["type"] != "picture" || set.Attrs["id"] == nil || set.Attrs["jid"] != p.bob.number.ToNonAD() {
		t.Errorf("picture: Alice got %v", told)
	}
}
