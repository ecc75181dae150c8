package interop_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

func TestUndecryptableMessageIsAskedForUntilItComes(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "real text")
	damage := func(node waBinary.Node) waBinary.Node {
		enc := node.GetChildren()[0]
		data := slices.Clone(enc.Content.([]byte))
		data[len(data)-1] ^= 1
		enc.Content = data
		node.Content = []waBinary.Node{enc}
		return node
	}
	l.send(damage(node))
	receipt := l.wantReceipt("receipt", "IN1", "retry")
	retry := childOf(receipt, "retry")
	if retry == nil || retry.Attrs["count"] != "1" || retry.Attrs["id"] != "IN1" || retry.Attrs["v"] != "1" || childOf(receipt, "keys") != nil {
		t.Errorf("first retry receipt: %s", receipt.String())
	}
	if content, _ := childOf(receipt, "registration").Content.([]byte); len(content) != 4 {
		t.Errorf("registration id of %d bytes", len(content))
	}
	event := waitFor[*interop.Undecryptable](s.events)
	if event.ID != "IN1" || event.Chat != bobJID || event.Reason == nil || event.Hide {
		t.Errorf("got %+v", event)
	}
	l.wantReceipt("ack", "IN1", "")

	// The second one brings our keys, and is not told again.
	l.send(damage(node))
	receipt = l.wantReceipt("receipt", "IN1", "retry")
	if retry = childOf(receipt, "retry"); retry.Attrs["count"] != "2" || childOf(receipt, "keys") == nil {
		t.Fatalf("second retry receipt: %s", receipt.String())
	}
	l.wantReceipt("ack", "IN1", "")
	message, err := bob.devices[0].UseBundle(context.Background(), aliceJID, receipt, conversation("real text"))
	if err != nil {
		t.Fatal(err)
	}
	l.send(waBinary.Node{
		Tag: "message", Attrs: node.Attrs,
		Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind, "count": 2}, Content: message.Data}},
	})
	if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "real text" || got.ID != "IN1" {
		t.Errorf("got %+v", got)
	}
	l.wantReceipt("receipt", "IN1", "")

	// Each receipt has a one-time key of its own.
	l.send(damage(withAttrs(node, waBinary.Attrs{"id": "OTHER"})))
	l.wantReceipt("receipt", "OTHER", "retry")
	l.wantReceipt("ack", "OTHER", "")
	waitFor[*interop.Undecryptable](s.events)
	l.send(damage(withAttrs(node, waBinary.Attrs{"id": "OTHER"})))
	other := l.wantReceipt("receipt", "OTHER", "retry")
	l.wantReceipt("ack", "OTHER", "")
	if fmt.Sprint(childOf(other, "keys", "key", "id").Content) == fmt.Sprint(childOf(receipt, "keys", "key", "id").Content) {
		t.Error("the same one-time key in two receipts")
	}
	s.stop()
	s.events.none()
}

func TestRetriesAreLimited(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "x")
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("no ciphertext")}}
	for i := range 7 {
		l.send(node)
		if i < 5 {
			receipt := l.wantReceipt("receipt", "IN1", "retry")
			if got := childOf(receipt, "retry").Attrs["count"]; got != fmt.Sprint(i+1) {
				t.Errorf("retry %d has count %v", i+1, got)
			}
		}
		if i == 0 {
			waitFor[*interop.Undecryptable](s.events)
		}
		l.wantReceipt("ack", "IN1", "")
	}
	s.stop()
	s.events.none()

	// After a restart the message says itself how often it was sent.
	s.Start()
	l = p.login()
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg", "count": 4, "decrypt-fail": "hide"}, Content: []byte("no ciphertext")}}
	l.send(node)
	if got := childOf(l.wantReceipt("receipt", "IN1", "retry"), "retry").Attrs["count"]; got != "5" {
		t.Errorf("retry after a restart has count %v", got)
	}
	if event := waitFor[*interop.Undecryptable](s.events); !event.Hide {
		t.Error("the sender's wish to show nothing got lost")
	}
	l.wantReceipt("ack", "IN1", "")
}

func TestUndecryptableIsAcknowledgedAfterTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "x")
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("no ciphertext")}}
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		<-release
		return nil
	})
	l.send(node)
	l.wantReceipt("receipt", "IN1", "retry")
	l.send(node)
	l.wantReceipt("receipt", "IN1", "retry")
	l.sync()
	close(release)
	l.wantReceipt("ack", "IN1", "")
	waitFor[*interop.Undecryptable](s.events)
}

func TestContentThatIsNoMessage(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	for i, plaintext := range [][]byte{{0xff, 0xff, 0xff}, {}} {
		message, _, err := bob.devices[0].Encrypt(context.Background(), s.party, plaintext, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("BAD", i)
		l.send(waBinary.Node{
			Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": id, "t": 1},
			Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind}, Content: message.Data}},
		})
		if len(plaintext) > 0 {
			waitFor[*interop.Undecryptable](s.events) // asking again would bring the same
		} else {
			waitFor[*interop.Message](s.events) // an empty protobuf is one
		}
		l.wantReceipt("receipt", id, "")
	}
}

// TestAMessageWithoutUsableContentIsTold: what is acknowledged without being shown is lost in silence. Asking for it again would give
// the same.
func TestAMessageWithoutUsableContentIsTold(t *testing.T) {
	_, s, l := started(t)
	for id, content := range map[string]waBinary.Node{
		"WITHHELD": {Tag: "unavailable"},
		"NOTHING":  {Tag: "enc"},
		"UNKNOWN":  {Tag: "enc", Attrs: waBinary.Attrs{"type": "skmsg"}, Content: []byte("x")},
	} {
		l.send(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": id}, Content: []waBinary.Node{content}})
		if got := waitFor[*interop.Undecryptable](s.events); got.ID != id || got.Reason == nil {
			t.Errorf("got %+v, want %s", got, id)
		}
		l.wantReceipt("ack", id, "")
	}
}

func TestStanzasThatAreNoMessagesFromContacts(t *testing.T) {
	_, s, l := started(t)
	for i, attrs := range []waBinary.Attrs{
		{"from": types.NewJID("123-456", types.GroupServer), "participant": bobJID},
		{"from": types.ServerJID},
		{"from": types.StatusBroadcastJID},
		{"from": "not a jid"},
		{"from": aliceJID},
	} {
		attrs["id"] = fmt.Sprint("ODD", i)
		l.send(waBinary.Node{Tag: "message", Attrs: attrs, Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"type": "msg"}, Content: []byte("x")}}})
		l.wantReceipt("ack", attrs["id"], "")
	}
	for i, content := range []any{nil, []byte("text"), []waBinary.Node{{Tag: "novelty"}}} {
		id := fmt.Sprint("EMPTY", i)
		l.send(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": id}, Content: content})
		l.wantReceipt("ack", id, "")
	}
	s.stop()
	s.events.none()
}
