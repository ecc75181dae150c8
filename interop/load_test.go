package interop_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/serialize"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// TestTwoWayLoadOnOneSession sends thousands of messages each way at the same time on one session, while the connection
// is cut again and again. Every message has to arrive once and in order, and no message key may be used twice: not even
// for messages that were lost on the way.
func TestTwoWayLoadOnOneSession(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	mailbox := newMailbox(t, s, bob)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))

	var group sync.WaitGroup
	group.Go(func() {
		for i := range loadCount {
			s.send(bobJID, strconv.Itoa(i))
		}
	})
	group.Go(func() {
		for i := range loadCount {
			if !mailbox.put(bob.messageWithID(s, fmt.Sprint("IN", i), strconv.Itoa(i), false)) {
				return
			}
		}
	})
	group.Go(func() {
		received, results := 0, 0
		for received < loadCount || results < loadCount {
			select {
			case event := <-s.events.events:
				switch event := event.(type) {
				case *interop.Message:
					if got := event.Message.GetConversation(); got != strconv.Itoa(received) {
						t.Errorf("got message %s, want %d", got, received)
						mailbox.end()
						return
					}
					received++
				case *interop.SendResult:
					if event.Err != nil {
						t.Errorf("message %s: %v", event.ID, event.Err)
					}
					results++
				case *interop.Connected, *interop.Disconnected:
				default:
					t.Errorf("unexpected event %T %+v", event, event)
				}
			case <-time.After(patience):
				t.Errorf("stuck after %d messages in and %d out", received, results)
				mailbox.end()
				return
			}
		}
		mailbox.end()
	})
	for cuts := 0; mailbox.serve(l); cuts++ {
		l.cut()
		l = p.login()
		if cuts > 5 {
			mailbox.cutAfter = 1 << 30
		}
	}
	l.lax = true
	group.Wait()
	if len(mailbox.texts) != loadCount {
		t.Errorf("%d messages of ours arrived, want %d", len(mailbox.texts), loadCount)
	}
}

// mailbox plays the gatekeeper for one contact: it keeps what was not received yet, and knows messages by their ids.
type mailbox struct {
	t        *testing.T
	subject  *subject
	contact  *contact
	cutAfter int // stanzas until the connection is cut

	mu      sync.Mutex
	waiting []waBinary.Node
	change  chan struct{}
	over    bool
	texts   map[any]string
	keys    map[string]any // every message key seen, and for which message
}

func newMailbox(t *testing.T, s *subject, c *contact) *mailbox {
	return &mailbox{
		t: t, subject: s, contact: c, cutAfter: loadCount / 3, change: make(chan struct{}, 1),
		texts: make(map[any]string), keys: make(map[string]any),
	}
}

// mailboxLimit keeps the client under its own limit, which has a test of its own.
const mailboxLimit = 500

// put leaves a message for the client. It waits while the mailbox is full and returns false if all is over.
func (m *mailbox) put(node waBinary.Node) bool {
	for {
		m.mu.Lock()
		if m.over {
			m.mu.Unlock()
			return false
		}
		if len(m.waiting) < mailboxLimit {
			m.waiting = append(m.waiting, node)
			m.mu.Unlock()
			m.signal()
			return true
		}
		m.mu.Unlock()
		<-m.change
	}
}

func (m *mailbox) signal() {
	select {
	case m.change <- struct{}{}:
	default:
	}
}

func (m *mailbox) end() {
	m.mu.Lock()
	m.over = true
	m.mu.Unlock()
	m.signal()
}

// serve delivers and takes in messages. It returns true when the connection is to be cut, and false when all is over.
func (m *mailbox) serve(l *link) bool {
	delivered := 0 // of those that wait
	for range m.cutAfter {
		m.mu.Lock()
		over := m.over
		var next *waBinary.Node
		if delivered < len(m.waiting) {
			next = &m.waiting[delivered]
			delivered++
		}
		m.mu.Unlock()
		if over {
			return false
		}
		if next != nil {
			if l.conn.WriteNode(context.Background(), *next) != nil {
				m.t.Error("client closed the connection")
				return false
			}
		}
		var node *waBinary.Node
		if next == nil {
			select {
			case node = <-l.inbox:
			case <-m.change:
				m.signal()
				continue
			}
		} else {
			select {
			case node = <-l.inbox:
			default:
				continue
			}
		}
		switch node.Tag {
		case "receipt":
			if node.Attrs["type"] != nil {
				m.t.Errorf("unexpected receipt: %s", node.String())
			}
			m.mu.Lock()
			if len(m.waiting) > 0 && m.waiting[0].Attrs["id"] == node.Attrs["id"] {
				m.waiting = m.waiting[1:]
				delivered--
			} // else it was received before the connection was cut
			m.mu.Unlock()
			m.signal()
		case "message":
			m.take(l, node)
		default:
			m.t.Errorf("unexpected %s", node.String())
		}
	}
	return true
}

// take checks and acknowledges a message of the client's.
func (m *mailbox) take(l *link, node *waBinary.Node) {
	id := node.Attrs["id"]
	enc := childOf(node, "participants", "to", "enc")
	kind, _ := enc.Attrs["type"].(string)
	data, _ := enc.Content.([]byte)
	key := messageKeyOf(m.t, kind, data)
	if other, used := m.keys[key]; used {
		m.t.Errorf("messages %v and %v have the same key", other, id)
	}
	m.keys[key] = id
	text, _, _, err := m.contact.devices[0].Decrypt(context.Background(), m.subject.party, interop.Ciphertext{Kind: kind, Data: data})
	if err != nil {
		m.t.Errorf("message %v: %v", id, err)
	}
	if _, known := m.texts[id]; !known {
		if want := fmt.Sprint("text of ", len(m.texts)); text != want {
			m.t.Errorf("message %v is %q, want %q", id, text, want)
		}
		m.texts[id] = text
	} else if m.texts[id] != text {
		m.t.Errorf("message %v came again as %q", id, text)
	}
	_ = l.conn.WriteNode(context.Background(), waBinary.Node{Tag: "ack", Attrs: waBinary.Attrs{"class": "message", "id": id, "from": types.ServerJID}})
}

// messageKeyOf names the message key of a ciphertext: the chain, which the ratchet key stands for, and the place in it.
func messageKeyOf(t *testing.T, kind string, data []byte) string {
	serializer := serialize.NewProtoBufSerializer()
	if kind == "pkmsg" {
		outer, err := protocol.NewPreKeySignalMessageFromBytes(data, serializer.PreKeySignalMessage, serializer.SignalMessage)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%x %d", outer.WhisperMessage().SenderRatchetKey().Serialize(), outer.WhisperMessage().Counter())
	}
	message, err := protocol.NewSignalMessageFromBytes(data, serializer.SignalMessage)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x %d", message.SenderRatchetKey().Serialize(), message.Counter())
}
