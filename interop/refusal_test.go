package interop_test

import (
	"errors"
	"fmt"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

func TestRefusedForGood(t *testing.T) {
	for code, want := range map[int]error{404: interop.ErrUnknownContact, 403: interop.ErrNotReachable, 413: interop.ErrTooLarge, 479: nil} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			_, s, l := started(t)
			bob := newContact(t, bobJID, 1)
			l.answerAlso(answers(bob))
			s.send(bobJID, "A")
			l.ack(l.next("message"), code)
			result := waitFor[*interop.SendResult](s.events)
			var refusal *interop.StanzaError
			if !errors.As(result.Err, &refusal) || refusal.Code != code || want != nil && !errors.Is(result.Err, want) {
				t.Errorf("got %v", result.Err)
			}
			s.send(bobJID, "B") // goes on
			l.ack(l.next("message"), 0)
			s.wantResult("B", nil)
			failed := s.waitState("A", interop.OutgoingFailed)
			if failed.Plaintext != nil || failed.Failure == "" {
				t.Errorf("got %+v", failed)
			}
		})
	}
}

// TestRefusedForNowKeepsTheOrder refuses one of several messages on the wire.
func TestRefusedForNowKeepsTheOrder(t *testing.T) {
	_, s, l := started(t)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	for _, id := range []string{"A", "B", "C"} {
		s.send(bobJID, id)
	}
	var nodes []*waBinary.Node
	for range 3 {
		nodes = append(nodes, l.next("message"))
	}
	l.ack(nodes[0], 503)
	l.sync()
	s.send(bobJID, "D")
	s.send(carolJID, "X") // another chat does not wait
	other := l.next("message")
	if other.Attrs["id"] != "X" {
		t.Fatalf("got %v", other.Attrs["id"])
	}
	l.ack(other, 0)
	s.wantResult("X", nil)
	l.ack(nodes[1], 503)
	l.ack(nodes[2], 503)
	for _, want := range []string{"A", "B", "C", "D"} {
		node := l.next("message")
		if node.Attrs["id"] != want {
			t.Fatalf("got %v, want %s", node.Attrs["id"], want)
		}
		l.ack(node, 0)
		s.wantResult(want, nil)
	}
}

func TestStaleDeviceListIsLookedUpAgain(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	node := l.next("message")
	grown := newContact(t, bobJID, 2)
	grown.devices[0] = bob.devices[0]
	l.answerAlso(answers(grown))
	l.ack(node, 409)
	node = l.next("message")
	for device := range 2 {
		if got := grown.open(s, node, device); got != "text of A" {
			t.Errorf("device %d got %q", device, got)
		}
	}
	l.ack(node, 0)
	s.wantResult("A", nil)
}

func TestStaleDeviceListForEverFails(t *testing.T) {
	_, s, l := started(t)
	l.answerAlso(answers(newContact(t, bobJID, 1)))
	s.send(bobJID, "A")
	for range 5 {
		l.ack(l.next("message"), 409)
	}
	result := waitFor[*interop.SendResult](s.events)
	var refusal *interop.StanzaError
	if !errors.As(result.Err, &refusal) || refusal.Code != 409 {
		t.Errorf("got %v", result.Err)
	}
}

func TestDevicesNotificationMakesTheListStale(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 2)
	first := *bob
	first.devices = bob.devices[:1]
	l.answerAlso(answers(&first))
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	l.answerAlso(answers(bob))
	l.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "devices", "from": bobJID, "id": "N"}, Content: []waBinary.Node{{Tag: "update"}}})
	l.wantReceipt("ack", "N", "devices")
	s.send(bobJID, "B")
	if got := len(childOf(l.next("message"), "participants").GetChildren()); got != 2 {
		t.Errorf("message goes to %d devices", got)
	}
}

func TestContactWithoutDevicesOrKeys(t *testing.T) {
	for name, test := range map[string]struct {
		change func(node *waBinary.Node)
		want   error
	}{
		"Unknown": {func(user *waBinary.Node) {
			user.Content = []waBinary.Node{{Tag: "devices", Content: []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404}}}}}
		}, interop.ErrUnknownContact},
		"Forbidden": {func(user *waBinary.Node) {
			user.Content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 403}}}
		}, interop.ErrNotReachable},
		"NoDevices": {func(user *waBinary.Node) { user.Content = nil }, interop.ErrUnknownContact},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, l := started(t)
			bob := newContact(t, bobJID, 1)
			l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
				if iq.Attrs["xmlns"] != "usync" {
					return nil
				}
				user := bob.deviceList()
				test.change(&user)
				return result(iq, waBinary.Node{Tag: "usync", Content: []waBinary.Node{{Tag: "list", Content: []waBinary.Node{user}}}})
			})
			s.send(bobJID, "A")
			s.wantResult("A", test.want)
		})
	}
	t.Run("NoKeys", func(t *testing.T) {
		_, s, l := started(t)
		bob := newContact(t, bobJID, 1)
		l.answerAlso(answers(bob))
		l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
			if iq.Attrs["xmlns"] != "encrypt" || childOf(iq, "key") == nil {
				return nil
			}
			return result(iq, waBinary.Node{Tag: "list", Content: []waBinary.Node{{Tag: "user", Attrs: waBinary.Attrs{"jid": bobJID}, Content: []waBinary.Node{
				{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}},
			}}}})
		})
		s.send(bobJID, "A")
		s.wantResult("A", interop.ErrNotReachable)
	})
}

func TestDeviceWithoutUsableKeysIsLeftOut(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 2)
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		reply := answers(bob)(iq)
		if reply == nil || iq.Attrs["xmlns"] != "encrypt" {
			return reply
		}
		signature := childOf(&childOf(reply, "list").GetChildren()[1], "skey", "signature")
		forged := append([]byte(nil), signature.Content.([]byte)...)
		forged[0] ^= 1
		signature.Content = forged
		return reply
	})
	s.send(bobJID, "A")
	node := l.next("message")
	if got := len(childOf(node, "participants").GetChildren()); got != 1 {
		t.Errorf("message goes to %d devices", got)
	}
	bob.open(s, node, 0)
}
