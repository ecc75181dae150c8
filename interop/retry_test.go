package interop_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// retryReceipt asks for a message again in the name of a device.
func retryReceipt(device *interop.Party, id string, count int, withKeys bool) waBinary.Node {
	content := []waBinary.Node{{Tag: "retry", Attrs: waBinary.Attrs{"count": count, "id": id, "t": 1_760_000_000, "v": 1}}}
	keys := device.BundleNodes(7)
	content = append(content, keys[0])
	if withKeys {
		content = append(content, waBinary.Node{Tag: "keys", Content: keys[1:]})
	}
	return waBinary.Node{Tag: "receipt", Attrs: waBinary.Attrs{"id": id, "type": "retry", "from": device.Address}, Content: content}
}

func TestRetryReceiptIsHonoured(t *testing.T) {
	for name, withKeys := range map[string]bool{"InTheSession": false, "WithKeys": true} {
		t.Run(name, func(t *testing.T) {
			_, s, l := started(t)
			bob := newContact(t, bobJID, 2)
			l.answerAlso(answers(bob))
			s.send(bobJID, "A")
			node := l.next("message")
			l.ack(node, 0)
			s.wantResult("A", nil)
			if withKeys {
				bob.devices[1].Reinstall(newStore())
			} else {
				bob.open(s, node, 0) // so that there is a session
			}
			device := bob.devices[0]
			if withKeys {
				device = bob.devices[1]
			}
			l.send(retryReceipt(device, "A", 2, withKeys))
			again := l.next("message")
			if again.Attrs["to"] != device.Address || again.Attrs["id"] != "A" || again.Attrs["device_fanout"] != "false" || childOf(again, "enc").Attrs["count"] != "2" {
				t.Errorf("got %s", again.String())
			}
			if got := bob.open(s, again, int(device.Address.Device)); got != "text of A" {
				t.Errorf("got %q", got)
			}
			l.wantReceipt("ack", "A", "retry")
			l.ack(again, 0) // of no consequence
			if withKeys {
				waitFor[*interop.IdentityChanged](s.events)
			}
			s.stop()
			s.events.none()
		})
	}
}

func TestRetryReceiptsThatAreTurnedDown(t *testing.T) {
	_, s, l := started(t)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	l.send(retryReceipt(carol.devices[0], "A", 1, true)) // was not for her
	l.wantReceipt("ack", "A", "retry")
	l.send(retryReceipt(bob.devices[0], "UNKNOWN", 1, true))
	l.wantReceipt("ack", "UNKNOWN", "retry")
	l.send(retryReceipt(bob.devices[0], "A", 6, true))
	l.wantReceipt("ack", "A", "retry")
	malformed := retryReceipt(bob.devices[0], "A", 1, true)
	malformed.Content = nil
	l.send(malformed)
	l.wantReceipt("ack", "A", "retry")
	for range 5 {
		l.send(retryReceipt(bob.devices[0], "A", 1, true))
		l.next("message")
		l.wantReceipt("ack", "A", "retry")
	}
	l.send(retryReceipt(bob.devices[0], "A", 1, true))
	l.wantReceipt("ack", "A", "retry")
}

func TestRetryReceiptOfADeviceThatAMessageWasNotFor(t *testing.T) {
	_, s, l := started(t)
	bob, later := newContact(t, bobJID, 1), newContact(t, bobJID, 2)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	message := l.next("message")
	linked := later.devices[1]
	for _, when := range []string{"before the ack", "after the ack"} {
		l.send(retryReceipt(linked, "A", 1, true))
		if ack := l.next("ack"); ack.Attrs["id"] != "A" {
			t.Errorf("%s: got %s", when, ack.String())
		}
		if when == "before the ack" {
			l.ack(message, 0)
			s.wantResult("A", nil)
		}
	}
}

func TestRetryReceiptIsAnsweredWhenTroublesAreOver(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	message := l.next("message")
	l.ack(message, 0)
	s.wantResult("A", nil)
	bob.open(s, message, 0)
	failures := 2
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if childOf(iq, "key") == nil || failures == 0 {
			return nil
		}
		failures--
		refusal := result(iq, waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": 503}})
		refusal.Attrs["type"] = "error"
		return refusal
	})
	l.send(retryReceipt(bob.devices[0], "A", 2, false))
	if got := bob.open(s, l.next("message"), 0); got != "text of A" {
		t.Errorf("got %q", got)
	}
	l.wantReceipt("ack", "A", "retry")
}

func TestNewIdentityIsToldAfterARestart(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.IdentityChanged); ok {
			return errors.New("homeserver is down")
		}
		return nil
	})
	bob.devices[0].Reinstall(newStore())
	l.send(retryReceipt(bob.devices[0], "A", 1, true))
	l.next("message")
	l.wantReceipt("ack", "A", "retry")
	s.stop()
	var told atomic.Int64
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.IdentityChanged); ok {
			told.Add(1)
		}
		return nil
	})
	for restart := range 2 {
		s.Start()
		p.login()
		s.stop()
		if told.Load() != 1 {
			t.Errorf("restart %d: told %d times", restart, told.Load())
		}
	}
}

func TestRetryAfterARestart(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
	s.stop()
	p.answerAlso(answers(bob))
	s.Start()
	l = p.login()
	l.send(retryReceipt(bob.devices[0], "A", 1, false))
	if got := bob.open(s, l.next("message"), 0); got != "text of A" {
		t.Errorf("got %q", got)
	}
	l.wantReceipt("ack", "A", "retry")
}
