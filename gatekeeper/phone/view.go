package phone

import (
	"cmp"
	"slices"
	"time"
)

// Chat is what the list of chats shows of one.
type Chat struct {
	// Key names the chat in this package's functions.
	Key string
	// Name is tidy, and never "".
	Name    string
	ID      string
	Partner string
	// Line is what was written last, in one line.
	Line     string
	LineMine bool
	Tick     Tick // of the last message, if it is the user's own
	At       time.Time
	Unread   int
	// Request is true until the user accepted the contact.
	Request bool
	Blocked bool
	Typing  bool
}

// Message is what a chat shows of one.
type Message struct {
	Number  uint64
	Mine    bool
	At      time.Time
	Kind    Kind
	Text    string
	Label   string
	Seconds uint32
	Bytes   uint64
	HasFile bool
	Quote   *Quote
	Tick    Tick
	Failure string
	Edited  bool
	Deleted bool
	// Reaction is the user's own emoji, TheirReaction the contact's; "" for none.
	Reaction, TheirReaction string
}

// Chats returns all chats, the latest first.
func (p *Phone) Chats() []Chat {
	p.mu.Lock()
	defer p.mu.Unlock()
	chats := make([]*chat, 0, len(p.memory.chats))
	for _, c := range p.memory.chats {
		chats = append(chats, c)
	}
	slices.SortFunc(chats, func(a, b *chat) int { return cmp.Compare(b.since, a.since) })
	shown := make([]Chat, len(chats))
	for i, c := range chats {
		shown[i] = p.show(c)
	}
	return shown
}

// Chat returns one chat and its messages, the oldest first; ok is false if there is none.
func (p *Phone) Chat(key string) (shown Chat, messages []Message, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[addressOf(key)]
	if c == nil {
		return shown, nil, false
	}
	messages = make([]Message, len(c.messages))
	for i, m := range c.messages {
		messages[i] = m.show()
	}
	return p.show(c), messages, true
}

func (p *Phone) show(c *chat) Chat {
	shown := Chat{
		Key: c.contact.Address.User, Name: cmp.Or(TidyName(c.contact.Name), c.contact.ID), ID: c.contact.ID, Partner: c.contact.Partner,
		Unread: c.unread, Request: !c.accepted, Blocked: p.blocked[c.contact.Address], Typing: c.typing != nil,
	}
	if len(c.messages) > 0 {
		last := c.messages[len(c.messages)-1]
		shown.Line, shown.LineMine, shown.Tick, shown.At = last.line(), last.key.mine, last.tick, last.at
	}
	return shown
}

func (m *message) line() string {
	if m.deleted {
		return "Deleted"
	}
	return m.body.line()
}

func (m *message) show() Message {
	return Message{
		Number: m.number, Mine: m.key.mine, At: m.at, Kind: m.body.kind, Text: m.body.text, Label: m.body.label, Seconds: m.body.seconds,
		Bytes: m.body.bytes, HasFile: m.file != nil, Quote: m.quote, Tick: m.tick, Failure: m.failure, Edited: m.edited, Deleted: m.deleted,
		Reaction: m.reactions[true], TheirReaction: m.reactions[false],
	}
}
