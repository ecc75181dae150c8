package gatekeeper_test

import (
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// ping asks for a WhatsApp user and returns the error's code, "" if there is none.
func (c *client) ping(phone string) (code any, answer *waBinary.Node) {
	c.tb.Helper()
	answer = c.ask("set", "interop", waBinary.Node{Tag: "ping", Attrs: waBinary.Attrs{"jid": types.NewJID(phone, types.DefaultUserServer)}})
	if refused := answer.GetChildByTag("error"); refused.Tag == "error" {
		return refused.Attrs["code"], answer
	}
	return "", answer
}

// pings returns who asks a WhatsApp user.
func (s *sandbox) pings(phone string) (from []string) {
	s.tb.Helper()
	var list struct{ Pings []struct{ From string } }
	s.control("GET", "/accounts/"+phone+"/pings", nil, &list)
	for _, ping := range list.Pings {
		from = append(from, ping.From)
	}
	return from
}

func TestAPingIsShownOnceAndAnswered(t *testing.T) {
	p := startPair(t)
	const carol = "4915100000000"
	p.account("+"+carol, "Carol")
	p.control("PATCH", "/accounts/"+carol, map[string]any{"third_party": false}, nil)

	if code, _ := p.alice.ping(carol); code != "" {
		t.Fatalf("the ping was refused with %v", code)
	}
	if from := p.pings(carol); len(from) != 1 {
		t.Errorf("Carol is shown pings of %v", from)
	}
	if code, _ := p.alice.ping(carol); fmt.Sprint(code) != "429" {
		t.Errorf("the second ping was answered with %v", code)
	}
	if code, _ := p.alice.ping("4915100000009"); fmt.Sprint(code) != "404" {
		t.Errorf("a ping for nobody was answered with %v", code)
	}
	if code, answer := p.alice.ping(p.bob.number.User); code != "" || answer.GetChildByTag("interop").Attrs["state"] != "on" {
		t.Errorf("a ping for somebody who has it on was answered with %v", answer)
	}
	p.control("PATCH", "/accounts/"+carol, map[string]any{"third_party": true}, nil)
	told := p.alice.await("notification")
	if told.Attrs["type"] != "interop" || told.Attrs["from"] != types.NewJID(carol, types.DefaultUserServer) || !has(*told, "reachable") {
		t.Errorf("Alice was told %v", told)
	}
	if from := p.pings(carol); len(from) != 0 {
		t.Errorf("an answered ping is still shown: %v", from)
	}
}

func TestOneUserCannotPingTheWorld(t *testing.T) {
	p := startPair(t)
	refused := 0
	for i := range 15 {
		phone := fmt.Sprintf("49151000001%02d", i)
		p.account("+"+phone, "Someone")
		p.control("PATCH", "/accounts/"+phone, map[string]any{"third_party": false}, nil)
		if code, _ := p.alice.ping(phone); fmt.Sprint(code) == "429" {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d of 15 pings in a day were refused", refused)
	}
}
