package phone

import (
	"net/url"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"

	"postern/gatekeeper/waclient"
)

const (
	MaxChats    = maxChats
	MaxMessages = maxMessages
	MaxBytes    = maxBytes
)

// Offline makes a phone that is never connected and forgets its contacts, to be told of events by Handle.
func Offline(registry Registry) *Phone {
	device := &store.Device{PushName: "Bob", LID: types.NewJID("1", types.HiddenUserServer), Contacts: &store.NoopStore{}}
	return &Phone{
		number: "+4915112345678", client: waclient.New(device, &url.URL{}, waLog.Noop), registry: registry, log: zerolog.Nop(), memory: newMemory(),
		blocked: make(map[types.JID]bool), change: make(chan struct{}),
	}
}

// Handle is what the client calls.
func (p *Phone) Handle(event any) { p.handle(event) }

// Remembered returns how many messages and bytes the phone remembers.
func (p *Phone) Remembered() (messages, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.memory.order), p.memory.bytes
}

// BodyOf returns a message's kind, text and label, and one line of it.
func BodyOf(message *waE2E.Message) (kind Kind, text, label, line string) {
	b, _ := bodyOf(message)
	return b.kind, b.text, b.label, b.line()
}
