package gatekeeper_test

import (
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

// enc is a ciphertext of one word.
func enc(kind, ciphertext string) waBinary.Node {
	return waBinary.Node{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": kind}, Content: []byte(ciphertext)}
}

// letterTo is a message for the given devices, one ciphertext each.
func letterTo(id string, to types.JID, devices ...types.JID) waBinary.Node {
	var list []waBinary.Node
	for _, device := range devices {
		list = append(list, waBinary.Node{Tag: "to", Attrs: waBinary.Attrs{"jid": device}, Content: []waBinary.Node{enc("msg", id+" for "+wire.FormatJID(device))}})
	}
	return waBinary.Node{
		Tag: "message", Attrs: waBinary.Attrs{"id": id, "to": to, "type": "text"},
		Content: []waBinary.Node{{Tag: "participants", Content: list}},
	}
}

// pair is Alice, a partner's user, and Bob, a WhatsApp user with one device; both are connected and active.
type pair struct {
	*sandbox
	alice    *client
	keys     *identity
	aliceJID types.JID
	aliceLID types.JID
	bob      *phone
}

func startPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{sandbox: start(t), keys: newIdentity("@alice:example.org")}
	p.account("+4915112345678", "Bob")
	p.bob = p.phoneOf("+4915112345678")
	p.bob.activate()
	p.bob.await("ib")
	p.aliceJID = p.enlisted(p.keys)
	p.alice = p.login(p.keys, p.aliceJID)
	p.alice.upload(p.keys, 20)
	p.alice.activate()
	p.alice.await("ib")
	var account struct{ LID string }
	p.control("GET", "/accounts/"+wire.FormatJID(p.aliceJID), nil, &account)
	lid, err := wire.ParseJID(account.LID)
	if err != nil {
		t.Fatal(err)
	}
	p.aliceLID = lid
	return p
}

func TestMessagesTravelUnderTheAddressesThatEachSideKnows(t *testing.T) {
	p := startPair(t)
	p.alice.write(letterTo("A1", p.bob.number.ToNonAD(), p.bob.number))
	ack := p.alice.await("ack")
	if ack.Attrs["id"] != "A1" || ack.Attrs["class"] != "message" || ack.Attrs["from"] != p.bob.number.ToNonAD() || ack.Attrs["error"] != nil {
		t.Errorf("ack %v", ack.Attrs)
	}
	got := p.bob.await("message")
	if got.Attrs["from"] != p.aliceLID || got.Attrs["id"] != "A1" || got.Attrs["type"] != "text" || got.Attrs["offline"] != nil {
		t.Errorf("Bob got %v", got.Attrs)
	}
	body := got.GetChildByTag("enc")
	if wire.Text(&body) != "A1 for 4915112345678@s.whatsapp.net" || body.Attrs["type"] != "msg" {
		t.Errorf("Bob got ciphertext %q, %v", wire.Text(&body), body.Attrs)
	}
	p.bob.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "A1", "to": p.aliceLID, "type": "inactive"}})
	receipt := p.alice.await("receipt")
	if receipt.Attrs["from"] != p.bob.number || receipt.Attrs["id"] != "A1" || receipt.Attrs["type"] != nil {
		t.Errorf("Alice got receipt %v", receipt.Attrs)
	}

	p.bob.write(letterTo("B1", p.aliceLID, p.aliceLID))
	if ack = p.bob.await("ack"); ack.Attrs["from"] != p.aliceLID || ack.Attrs["error"] != nil {
		t.Errorf("ack %v", ack.Attrs)
	}
	if got = p.alice.await("message"); got.Attrs["from"] != p.bob.number || got.Attrs["notify"] != "Bob" {
		t.Errorf("Alice got %v", got.Attrs)
	}
	p.alice.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": "B1", "to": p.bob.number, "type": "read"}, Content: []waBinary.Node{
		{Tag: "list", Content: []waBinary.Node{{Tag: "item", Attrs: waBinary.Attrs{"id": "B0"}}}},
	}})
	receipt = p.bob.await("receipt")
	if item := receipt.GetChildByTag("list", "item"); receipt.Attrs["from"] != p.aliceLID || receipt.Attrs["type"] != "read" || item.Attrs["id"] != "B0" {
		t.Errorf("Bob got receipt %v", receipt)
	}
}

func TestMessagesAreRefused(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number
	p.account("+4915100000000", "Carol")
	carol := p.phoneOf("+4915100000000")
	p.control("PATCH", "/accounts/4915100000000", map[string]any{"third_party": false}, nil)
	dave := p.enlisted(newIdentity("@dave:example.org"))
	ghost := types.JID{User: bob.User, Device: 9, Server: bob.Server}
	big := letterTo("x", bob, bob)
	big.GetChildren()[0].GetChildren()[0].GetChildren()[0].Content = make([]byte, 200<<10)
	wrongVersion := letterTo("x", bob, bob)
	wrongVersion.GetChildren()[0].GetChildren()[0].GetChildren()[0].Attrs["v"] = "9"
	for name, test := range map[string]struct {
		message waBinary.Node
		code    string
	}{
		"to nobody":               {letterTo("x", types.NewJID("4915199999999", types.DefaultUserServer)), "404"},
		"to who has it off":       {letterTo("x", carol.number, carol.number), "403"},
		"to another partner user": {letterTo("x", dave, dave), "403"},
		"for no device":           {letterTo("x", bob), "409"},
		"for a stale device":      {letterTo("x", bob, bob, ghost), "409"},
		"for someone else":        {letterTo("x", bob, carol.number), "479"},
		"for one device twice":    {letterTo("x", bob, bob, bob), "479"},
		"without a ciphertext":    {waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "x", "to": bob}}, "479"},
		"without an address":      {waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "x"}}, "479"},
		"of an unknown version":   {wrongVersion, "479"},
		"too large":               {big, "413"},
	} {
		t.Run(name, func(t *testing.T) {
			p.alice.write(test.message)
			if ack := p.alice.await("ack"); ack.Attrs["error"] != test.code {
				t.Errorf("got %v, want %s", ack.Attrs, test.code)
			}
		})
	}
	p.alice.write(letterTo("y", bob, bob, ghost))
	ack := p.alice.await("ack")
	if stale := ack.GetChildByTag("devices", "stale"); stale.Attrs["jid"] != ghost {
		t.Errorf("ack does not name the stale device: %v", ack)
	}
}

func TestAMessageSentAgainIsAckedAgainAndDeliveredOnce(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number
	for range 3 {
		p.alice.write(letterTo("A1", bob, bob))
		if ack := p.alice.await("ack"); ack.Attrs["id"] != "A1" || ack.Attrs["error"] != nil {
			t.Fatalf("ack %v", ack.Attrs)
		}
	}
	retry := waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"id": "A1", "to": bob, "type": "text", "device_fanout": "false"}, Content: []waBinary.Node{enc("msg", "again")}}
	retry.GetChildren()[0].Attrs["count"] = "1"
	p.alice.write(retry)
	p.alice.await("ack")
	p.alice.write(letterTo("A2", bob, bob))
	p.alice.await("ack")
	for _, want := range []string{"A1 for", "again ", "A2 for"} {
		got := p.bob.await("message")
		body := got.GetChildByTag("enc")
		if text := fmt.Sprintf("%.6s", wire.Text(&body)+" "); text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
}

func TestMailWaitsInOrderUntilItIsAcknowledged(t *testing.T) {
	p := startPair(t)
	bob := p.bob.number
	if err := p.bob.Close(0); err != nil {
		t.Fatal(err)
	}
	const count = 300 // more than one batch
	for i := range count {
		p.alice.write(letterTo(fmt.Sprint("A", i), bob, bob))
	}
	for range count {
		p.alice.await("ack")
	}
	for round, acked := range []int{0, 100} { // the second connection gets what the first did not acknowledge
		c := p.loginPhone(p.bob)
		preview := c.activate()
		if got := preview.GetChildByTag("offline_preview").Attrs["message"]; got != fmt.Sprint(count-acked) {
			t.Errorf("round %d: preview of %v", round, got)
		}
		for i := acked; i < count; i++ {
			if got := c.await("message"); got.Attrs["id"] != fmt.Sprint("A", i) || got.Attrs["offline"] == nil {
				t.Fatalf("round %d: got %v instead of A%d", round, got.Attrs, i)
			}
		}
		end := c.await("ib")
		if got := end.GetChildByTag("offline").Attrs["count"]; got != fmt.Sprint(count-acked) {
			t.Errorf("round %d: end with count %v", round, got)
		}
		for i := range 100 {
			c.write(waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": fmt.Sprint("A", i), "to": p.aliceLID}})
		}
		c.ask("get", "w:p") // what came before it is handled
		if err := c.Close(0); err != nil {
			t.Error(err)
		}
	}
}

func TestBlockedSendersLearnNothing(t *testing.T) {
	p := startPair(t)
	answer := p.bob.ask("set", "blocklist", waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"action": "block", "jid": p.aliceLID}})
	if item := answer.GetChildByTag("list", "item"); item.Attrs["jid"] != p.aliceLID {
		t.Errorf("blocklist %v", answer)
	}
	p.alice.write(letterTo("A1", p.bob.number, p.bob.number))
	if ack := p.alice.await("ack"); ack.Attrs["error"] != nil {
		t.Errorf("ack tells of the block: %v", ack.Attrs)
	}
	p.alice.write(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"to": p.bob.number}, Content: []waBinary.Node{{Tag: "composing"}}})
	p.alice.ask("get", "w:p")
	p.bob.ask("set", "blocklist", waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"action": "unblock", "jid": p.aliceLID}})
	p.alice.write(letterTo("A2", p.bob.number, p.bob.number))
	for {
		node := p.bob.read()
		if node.Tag == "chatstate" {
			t.Error("a blocked user's typing was shown")
		} else if node.Tag == "message" {
			if node.Attrs["id"] != "A2" {
				t.Errorf("got %v", node.Attrs)
			}
			return
		}
	}
}

func TestTypingReachesTheOtherSide(t *testing.T) {
	p := startPair(t)
	p.bob.write(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"to": p.aliceLID}, Content: []waBinary.Node{{Tag: "composing", Attrs: waBinary.Attrs{"media": "audio"}}}})
	node := p.alice.await("chatstate")
	if what := node.GetChildByTag("composing"); node.Attrs["from"] != p.bob.number || what.Attrs["media"] != "audio" {
		t.Errorf("got %v", node)
	}
	p.alice.write(waBinary.Node{Tag: "chatstate", Attrs: waBinary.Attrs{"to": p.bob.number.ToNonAD()}, Content: []waBinary.Node{{Tag: "paused"}}})
	if node = p.bob.await("chatstate"); node.Attrs["from"] != p.aliceLID || node.GetChildren()[0].Tag != "paused" {
		t.Errorf("got %v", node)
	}
}
