package gatekeeper_test

import (
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// usync asks for one user.
func (c *client) usync(wanted waBinary.Node, protocols ...string) waBinary.Node {
	c.tb.Helper()
	var query []waBinary.Node
	for _, protocol := range protocols {
		query = append(query, waBinary.Node{Tag: protocol})
	}
	answer := c.ask("get", "usync", waBinary.Node{
		Tag: "usync", Attrs: waBinary.Attrs{"sid": "1", "mode": "query", "last": "true", "index": "0", "context": "message"},
		Content: []waBinary.Node{{Tag: "query", Content: query}, {Tag: "list", Content: []waBinary.Node{wanted}}},
	})
	return answer.GetChildByTag("usync", "list", "user")
}

func byPhone(number string) waBinary.Node {
	return waBinary.Node{Tag: "user", Content: []waBinary.Node{{Tag: "contact", Content: number}}}
}

func byJID(jid types.JID) waBinary.Node {
	return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid}}
}

// has tells whether a node has a child with the tag. (GetChildByTag returns the node itself if it has not.)
func has(node waBinary.Node, tag string) bool { return len(node.GetChildrenByTag(tag)) > 0 }

func TestUsync(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number.ToNonAD()
	p.account("+4915100000000", "Carol")
	p.control("PATCH", "/accounts/4915100000000", map[string]any{"third_party": false}, nil)

	found := p.alice.usync(byPhone("+4915112345678"), "contact", "devices")
	contact, device := found.GetChildByTag("contact"), found.GetChildByTag("devices", "device-list", "device")
	if found.Attrs["jid"] != bob || contact.Attrs["type"] != "in" || wire.Text(&contact) != "+4915112345678" || device.Attrs["id"] != "0" {
		t.Errorf("Bob by phone: %v", found)
	}
	for _, number := range []string{"+4915100000007", "", "+49", "12a45678", "+00000000"} {
		nobody := p.alice.usync(byPhone(number), "contact", "devices")
		if nobody.Attrs["jid"] != nil || nobody.GetChildByTag("contact").Attrs["type"] != "out" {
			t.Errorf("%q: %v", number, nobody)
		}
	}
	off := p.alice.usync(byPhone("+4915100000000"), "contact", "devices")
	if off.GetChildByTag("contact").Attrs["type"] != "in" || off.GetChildByTag("interop").Attrs["state"] != "off" || has(off, "devices") {
		t.Errorf("Carol, who has it off: %v", off)
	}
	for name, asked := range map[string]types.JID{"phone number": bob, "LID": p.bob.lid.ToNonAD()} {
		if answer := p.alice.usync(byJID(asked), "devices"); answer.Attrs["jid"] != asked || answer.GetChildByTag("devices", "device-list", "device").Tag == "" {
			t.Errorf("Bob by %s: %v", name, answer)
		}
	}
	unknown := types.NewJID("4915100000007", types.DefaultUserServer)
	if answer := p.alice.usync(byJID(unknown), "devices"); answer.GetChildByTag("error").Attrs["code"] != "404" {
		t.Errorf("nobody by JID: %v", answer)
	}
	if answer := p.bob.usync(byJID(p.aliceLID), "devices", "lid", "picture", "status"); answer.Attrs["jid"] != p.aliceLID ||
		answer.GetChildByTag("lid").Attrs["val"] != p.aliceLID || has(answer, "picture") {
		t.Errorf("Alice by alias: %v", answer)
	}
}

func TestPicturesAreShownToWhoMaySeeThem(t *testing.T) {
	p := startPair(t)
	ask := func() *waBinary.Node {
		id := "picture-1"
		p.alice.write(waBinary.Node{
			Tag: "iq", Attrs: waBinary.Attrs{"id": id, "type": "get", "xmlns": "w:profile:picture", "to": types.ServerJID, "target": p.bob.number.ToNonAD()},
			Content: []waBinary.Node{{Tag: "picture", Attrs: waBinary.Attrs{"type": "preview", "query": "url"}}},
		})
		return p.alice.await("iq")
	}
	code := func(answer *waBinary.Node) any { return answer.GetChildByTag("error").Attrs["code"] }
	if got := code(ask()); got != "404" {
		t.Errorf("without a picture: %v", got)
	}
	p.control("PUT", "/accounts/4915112345678/picture", []byte("picture"), nil)
	answer := ask()
	if picture := answer.GetChildByTag("picture"); picture.Attrs["type"] != "preview" || picture.Attrs["url"] == nil || picture.Attrs["id"] == nil {
		t.Errorf("got %v", answer)
	}
	p.bob.ask("set", "privacy", waBinary.Node{Tag: "privacy", Content: []waBinary.Node{{Tag: "category", Attrs: waBinary.Attrs{"name": "profile", "value": "none"}}}})
	if got := code(ask()); got != "401" {
		t.Errorf("hidden picture: %v", got)
	}
	p.bob.ask("set", "privacy", waBinary.Node{Tag: "privacy", Content: []waBinary.Node{{Tag: "category", Attrs: waBinary.Attrs{"name": "profile", "value": "all"}}}})
	p.control("DELETE", "/accounts/4915112345678/picture", nil, nil)
	if got := code(ask()); got != "404" {
		t.Errorf("removed picture: %v", got)
	}
}
