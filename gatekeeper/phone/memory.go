package phone

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	// maxChats is how many chats a phone remembers. Beyond it the one that was silent longest is forgotten, requests first.
	maxChats = 500
	// maxMessages and maxBytes bound what a phone remembers of all chats together; the oldest messages go first. The bytes are
	// those of the messages as they came, with their thumbnails, without files.
	maxMessages = 5000
	maxBytes    = 32 << 20
	// typingTimeout is how long somebody types who never says that it is over.
	typingTimeout = 25 * time.Second
)

// memory is all that a phone remembers of its chats. The phone's mu guards it and everything in it.
type memory struct {
	chats map[types.JID]*chat // by LID without device
	order []*message          // of all chats, oldest first
	bytes int
	last  uint64 // the number that was given last
}

// newMemory makes an empty memory. Numbers begin with the time, so that one is never used again after a restart: browsers keep
// files by them.
func newMemory() memory {
	return memory{chats: make(map[types.JID]*chat), last: uint64(time.Now().UnixMicro())}
}

// chat is a conversation with one contact.
type chat struct {
	contact Contact
	// accepted is false for a request: somebody unknown wrote, and the user has not decided yet.
	accepted bool
	messages []*message // oldest first
	byKey    map[messageKey]*message
	unread   int
	since    uint64      // the number of what happened last
	typing   *time.Timer // while the contact types
}

// messageKey names a message in its chat: each side chooses its own ids.
type messageKey struct {
	mine bool
	id   types.MessageID
}

type message struct {
	number uint64 // names it on this phone, in the order of arrival
	key    messageKey
	chat   *chat
	at     time.Time
	body   body
	// content is what came, to be quoted. It is never changed.
	content   *waE2E.Message
	file      whatsmeow.DownloadableMessage // nil without a file
	quote     *Quote
	tick      Tick
	failure   string
	edited    bool
	deleted   bool
	unread    bool
	reactions map[bool]string // by whether it is one's own
	size      int
}

// next counts what happens.
func (m *memory) next() uint64 {
	m.last++
	return m.last
}

// add puts a chat in, and forgets another one if there are too many.
func (m *memory) add(contact Contact, accepted bool) *chat {
	if len(m.chats) >= maxChats {
		m.forget(slices.MinFunc(slices.Collect(maps.Values(m.chats)), func(a, b *chat) int {
			switch {
			case a.accepted != b.accepted && a.accepted:
				return 1
			case a.accepted != b.accepted:
				return -1
			default:
				return cmp.Compare(a.since, b.since)
			}
		}))
	}
	added := &chat{contact: contact, accepted: accepted, byKey: make(map[messageKey]*message), since: m.next()}
	m.chats[contact.Address] = added
	return added
}

// forget drops a chat with its messages.
func (m *memory) forget(c *chat) {
	c.stopTyping()
	delete(m.chats, c.contact.Address)
	m.order = slices.DeleteFunc(m.order, func(msg *message) bool {
		if msg.chat == c {
			m.bytes -= msg.size
		}
		return msg.chat == c
	})
}

// put adds a message to its chat, and forgets the oldest ones of all if there are too many. Its number is given here.
func (m *memory) put(c *chat, msg *message) {
	msg.number, msg.chat = m.next(), c
	msg.size = proto.Size(msg.content)
	c.since = msg.number
	c.messages = append(c.messages, msg)
	c.byKey[msg.key] = msg
	m.order = append(m.order, msg)
	m.bytes += msg.size
	if msg.unread {
		c.unread++
	}
	for len(m.order) > 1 && (len(m.order) > maxMessages || m.bytes > maxBytes) {
		oldest := m.order[0]
		m.order = m.order[1:]
		m.bytes -= oldest.size
		oldest.chat.drop(oldest)
	}
}

// drop removes a message of the chat.
func (c *chat) drop(msg *message) {
	delete(c.byKey, msg.key)
	c.messages = slices.DeleteFunc(c.messages, func(other *message) bool { return other == msg })
	if msg.unread {
		c.unread--
	}
}

// numbered returns the message with the number, nil if it is forgotten.
func (c *chat) numbered(number uint64) *message {
	at, found := slices.BinarySearchFunc(c.messages, number, func(msg *message, number uint64) int {
		return cmp.Compare(msg.number, number)
	})
	if !found {
		return nil
	}
	return c.messages[at]
}

// stopTyping returns whether the contact typed.
func (c *chat) stopTyping() bool {
	if c.typing == nil {
		return false
	}
	c.typing.Stop()
	c.typing = nil
	return true
}

// forgetTyping ends all timers.
func (m *memory) forgetTyping() {
	for _, c := range m.chats {
		c.stopTyping()
	}
}
