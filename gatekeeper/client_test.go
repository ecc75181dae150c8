package gatekeeper_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

// payload is the login of a partner client.
func (s *sandbox) payload(i *identity, account types.JID) *waWa6.ClientPayload {
	return &waWa6.ClientPayload{
		Product: waWa6.ClientPayload_INTEROP.Enum(), Passive: proto.Bool(true), Pull: proto.Bool(true),
		UserAgent: &waWa6.ClientPayload_UserAgent{AppVersion: &waWa6.ClientPayload_UserAgent_AppVersion{
			Primary: proto.Uint32(1), Secondary: proto.Uint32(0), Tertiary: proto.Uint32(3),
		}},
		InteropData: &waWa6.ClientPayload_InteropData{
			AccountID: proto.Uint64(numberOf(s.tb, account)), Token: []byte(s.partner.token(s.tb, i.subject, nil)), EnableReadReceipts: proto.Bool(true),
		},
	}
}

// numberOf returns a JID's user as a number.
func numberOf(tb testing.TB, address types.JID) (number uint64) {
	tb.Helper()
	if _, err := fmt.Sscan(address.User, &number); err != nil {
		tb.Fatal(err)
	}
	return number
}

// client is a raw client: it sends and reads stanzas as the test says.
type client struct {
	*wire.Conn
	tb testing.TB
}

// dial connects with a payload and returns the answer to the login.
func (s *sandbox) dial(static wire.KeyPair, payload *waWa6.ClientPayload) (*client, *waBinary.Node) {
	s.tb.Helper()
	conn, err := wire.Dial(s.tb.Context(), s.ChatURL(), nil, wire.ClientHandshake{
		Static: static, RootKey: s.RootKey(),
		Payload: func(context.Context) ([]byte, error) { return proto.Marshal(payload) },
	})
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = conn.Close(0) })
	c := &client{conn, s.tb}
	return c, c.read()
}

// login connects a partner's user.
func (s *sandbox) login(i *identity, account types.JID) *client {
	s.tb.Helper()
	c, answer := s.dial(i.noise, s.payload(i, account))
	if answer.Tag != "success" {
		s.tb.Fatalf("login answered with %v", answer)
	}
	return c
}

func (c *client) read() *waBinary.Node {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), patience)
	defer cancel()
	node, err := c.ReadNode(ctx)
	if err != nil {
		c.tb.Fatal(err)
	}
	return node
}

// await reads until a stanza with the tag comes.
func (c *client) await(tag string) *waBinary.Node {
	c.tb.Helper()
	for {
		if node := c.read(); node.Tag == tag {
			return node
		}
	}
}

func (c *client) write(node waBinary.Node) {
	c.tb.Helper()
	if err := c.WriteNode(c.tb.Context(), node); err != nil {
		c.tb.Fatal(err)
	}
}

// ask sends an iq and returns its answer.
func (c *client) ask(kind, xmlns string, content ...waBinary.Node) *waBinary.Node {
	c.tb.Helper()
	id := rand.Text()
	c.write(waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": id, "type": kind, "xmlns": xmlns, "to": types.ServerJID}, Content: content})
	for {
		if node := c.await("iq"); node.Attrs["id"] == id {
			return node
		}
	}
}

func preKey(tag string, id byte, key wire.KeyPair) waBinary.Node {
	return waBinary.Node{Tag: tag, Content: []waBinary.Node{{Tag: "id", Content: []byte{0, 0, id}}, {Tag: "value", Content: key.Pub[:]}}}
}

// upload sends prekeys 1 to n.
func (c *client) upload(i *identity, n int) *waBinary.Node {
	c.tb.Helper()
	var keys []waBinary.Node
	for id := range n {
		keys = append(keys, preKey("key", byte(id+1), wire.NewKeyPair()))
	}
	signed := preKey("skey", 1, i.signedKey)
	signed.Content = append(signed.GetChildren(), waBinary.Node{Tag: "signature", Content: i.signature()})
	return c.ask("set", "encrypt",
		waBinary.Node{Tag: "registration", Content: binary.BigEndian.AppendUint32(nil, i.registration)},
		waBinary.Node{Tag: "type", Content: []byte{5}},
		waBinary.Node{Tag: "identity", Content: i.signal.Pub[:]},
		waBinary.Node{Tag: "list", Content: keys}, signed)
}

// activate starts the mailbox and reads what announces it.
func (c *client) activate() *waBinary.Node {
	c.tb.Helper()
	if answer := c.ask("set", "passive", waBinary.Node{Tag: "active"}); answer.Attrs["type"] != "result" {
		c.tb.Fatalf("active: %v", answer)
	}
	return c.await("ib")
}

// phone is a WhatsApp user's device, driven by hand.
type phone struct {
	*client
	identity    *identity
	number, lid types.JID
}

// phoneOf registers a device, logs it in and uploads keys.
func (s *sandbox) phoneOf(number string) *phone {
	s.tb.Helper()
	p := &phone{identity: newIdentity("")}
	p.number, p.lid = s.addresses(number, p.identity.noise.Pub)
	p.client = s.loginPhone(p)
	p.upload(p.identity, 20)
	return p
}

func (s *sandbox) loginPhone(p *phone) *client {
	s.tb.Helper()
	c, answer := s.dial(p.identity.noise, phonePayload(s.tb, p.number))
	if answer.Tag != "success" || answer.Attrs["lid"] != p.lid {
		s.tb.Fatalf("login answered with %v", answer)
	}
	return c
}

func phonePayload(tb testing.TB, number types.JID) *waWa6.ClientPayload {
	tb.Helper()
	return &waWa6.ClientPayload{Username: proto.Uint64(numberOf(tb, number)), Device: proto.Uint32(uint32(number.Device)), Passive: proto.Bool(true), Pull: proto.Bool(true)}
}
