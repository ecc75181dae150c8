package interop_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
	"postern/interop/memstore"
)

// contact is a WhatsApp user with devices.
type contact struct {
	t       *testing.T
	jid     types.JID
	devices []*interop.Party
	nextID  int
	nextKey map[*interop.Party]uint32
}

func newContact(t *testing.T, jid types.JID, devices int) *contact {
	c := &contact{t: t, jid: jid, nextKey: make(map[*interop.Party]uint32)}
	for i := range devices {
		device := jid
		device.Device = uint16(i)
		c.devices = append(c.devices, interop.NewParty(device, memstore.New(), 20))
	}
	return c
}

// message makes a stanza from the contact's first device.
func (c *contact) message(to *subject, text string) waBinary.Node {
	c.t.Helper()
	c.nextID++
	return c.messageWithID(to, fmt.Sprintf("IN%d", c.nextID), text, false)
}

func (c *contact) messageWithID(to *subject, id, text string, newSession bool) waBinary.Node {
	c.t.Helper()
	message, _, err := c.devices[0].Encrypt(context.Background(), to.party, conversation(text), 0, newSession)
	if err != nil {
		c.t.Fatal(err)
	}
	return waBinary.Node{
		Tag: "message",
		Attrs: waBinary.Attrs{
			"from": c.devices[0].Address, "id": id, "type": "text", "t": time.Now().Unix(), "notify": "Bob",
		},
		Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind}, Content: message.Data}},
	}
}

// answers gives device lists and prekeys of contacts.
func answers(contacts ...*contact) func(iq *waBinary.Node) *waBinary.Node {
	return func(iq *waBinary.Node) *waBinary.Node {
		switch iq.Attrs["xmlns"] {
		case "usync":
			var users []waBinary.Node
			for _, asked := range childOf(iq, "usync", "list").GetChildren() {
				for _, c := range contacts {
					if asked.Attrs["jid"] == c.jid {
						users = append(users, c.deviceList())
					}
				}
			}
			return result(iq, waBinary.Node{Tag: "usync", Content: []waBinary.Node{{Tag: "list", Content: users}}})
		case "encrypt":
			keys := childOf(iq, "key")
			if keys == nil {
				return nil
			}
			var users []waBinary.Node
			for _, asked := range keys.GetChildren() {
				for _, c := range contacts {
					for _, device := range c.devices {
						if asked.Attrs["jid"] == device.Address {
							users = append(users, c.bundle(device))
						}
					}
				}
			}
			return result(iq, waBinary.Node{Tag: "list", Content: users})
		}
		return nil
	}
}

func (c *contact) deviceList() waBinary.Node {
	var devices []waBinary.Node
	for _, device := range c.devices {
		devices = append(devices, waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"id": int(device.Address.Device)}})
	}
	return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": c.jid}, Content: []waBinary.Node{
		{Tag: "devices", Attrs: waBinary.Attrs{"version": 2}, Content: []waBinary.Node{{Tag: "device-list", Content: devices}}},
	}}
}

// bundle gives out the device's keys, each one-time key once.
func (c *contact) bundle(device *interop.Party) waBinary.Node {
	c.nextKey[device]++
	return waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device.Address}, Content: device.BundleNodes(c.nextKey[device])}
}

// open decrypts a message of the client's for one device and returns its text.
func (c *contact) open(from *subject, node *waBinary.Node, device int) string {
	c.t.Helper()
	enc := childOf(node, "enc")
	if enc == nil {
		for _, to := range childOf(node, "participants").GetChildren() {
			if to.Attrs["jid"] == c.devices[device].Address {
				enc = childOf(&to, "enc")
			}
		}
	}
	if enc == nil {
		c.t.Fatalf("nothing for device %d in %s", device, node.String())
	}
	data, _ := enc.Content.([]byte)
	kind, _ := enc.Attrs["type"].(string)
	text, _, _, err := c.devices[device].Decrypt(context.Background(), from.party, interop.Ciphertext{Kind: kind, Data: data})
	if err != nil {
		c.t.Fatalf("device %d cannot decrypt: %v", device, err)
	}
	return text
}

func withAttrs(node waBinary.Node, attrs waBinary.Attrs) waBinary.Node {
	all := maps.Clone(node.Attrs)
	maps.Copy(all, attrs)
	node.Attrs = all
	return node
}
