package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWa6"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

var (
	errMalformed = errors.New("malformed stanza")
	errNobody    = errors.New("the contact has not heard from anybody yet")
)

// Directory is the part of the gatekeeper that knows accounts.
type Directory interface {
	CreateAccount(ctx context.Context, phone, name string) error
	RegisterDevice(ctx context.Context, phone string, noiseKey [32]byte) (number, lid types.JID, err error)
}

// Server is where contacts connect.
type Server struct {
	Directory Directory
	ChatURL   string
	RootKey   [32]byte
}

// Contact is a WhatsApp user with one device, who talks with one partner user. It has to be written to first: its own
// messages are then of the kind that all but the first of a conversation have.
type Contact struct {
	*Channel
	// JID is the device's address with the phone number.
	JID types.JID

	signal *signal

	mu     sync.Mutex
	inbox  []*waBinary.Node // messages that were not read yet
	friend types.JID        // who wrote first; empty until Read
}

// NewContact makes an account with a device, connects it and uploads its keys. The caller must Close it.
func NewContact(ctx context.Context, server Server, phone, name string) (*Contact, error) {
	if err := server.Directory.CreateAccount(ctx, phone, name); err != nil {
		return nil, err
	}
	static := wire.NewKeyPair()
	jid, _, err := server.Directory.RegisterDevice(ctx, phone, static.Pub)
	if err != nil {
		return nil, err
	}
	payload, err := loginPayload(jid)
	if err != nil {
		return nil, err
	}
	contact := &Contact{JID: jid}
	if contact.signal, err = newSignal(); err != nil {
		return nil, err
	}
	contact.Channel, err = Connect(ctx, Login{
		URL: server.ChatURL, RootKey: server.RootKey, Static: static, Payload: payload,
	}, contact.keep)
	if err != nil {
		return nil, fmt.Errorf("failed to connect %s: %w", phone, err)
	}
	if _, err = contact.Ask(ctx, "set", "encrypt", contact.signal.upload()...); err == nil {
		err = contact.Activate(ctx)
	}
	if err != nil {
		contact.Close()
		return nil, fmt.Errorf("failed to set up %s: %w", phone, err)
	}
	return contact, nil
}

// loginPayload is what a WhatsApp client logs in with.
func loginPayload(jid types.JID) ([]byte, error) {
	number, err := strconv.ParseUint(jid.User, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is no phone number", errMalformed, jid)
	}
	return proto.Marshal(&waWa6.ClientPayload{
		Username: proto.Uint64(number), Device: proto.Uint32(uint32(jid.Device)),
		Passive: proto.Bool(true), Pull: proto.Bool(true),
	})
}

func (c *Contact) keep(message *waBinary.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inbox = append(c.inbox, message)
}

// Discard forgets what came since the last Read, such as noise.
func (c *Contact) Discard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inbox = nil
}

// Read decrypts what came since the last Read and returns the texts in their order.
func (c *Contact) Read(ctx context.Context) ([]string, error) {
	c.mu.Lock()
	messages := c.inbox
	c.inbox = nil
	c.mu.Unlock()
	texts := make([]string, 0, len(messages))
	for _, message := range messages {
		from, _ := message.Attrs["from"].(types.JID)
		enc := message.GetChildByTag("enc")
		ciphertext, _ := enc.Content.([]byte)
		if c.friend.IsEmpty() {
			c.friend = from
		}
		padded, err := c.signal.decrypt(ctx, enc.Attrs["type"] == "pkmsg", ciphertext)
		if err != nil {
			return nil, fmt.Errorf("%s failed to decrypt a message: %w", c.JID, err)
		}
		text, err := readText(padded)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// readText returns the text in a padded waE2E.Message.
func readText(padded []byte) (string, error) {
	if len(padded) == 0 || int(padded[len(padded)-1]) > len(padded) {
		return "", fmt.Errorf("%w: padding", errMalformed)
	}
	var message waE2E.Message
	if err := proto.Unmarshal(padded[:len(padded)-int(padded[len(padded)-1])], &message); err != nil {
		return "", fmt.Errorf("%w: not a protobuf", errMalformed)
	}
	if text := message.GetConversation(); text != "" {
		return text, nil
	}
	return message.GetExtendedTextMessage().GetText(), nil
}

// Prepare encrypts texts for the one who wrote to the contact, and returns stanzas for Send. They have to be sent in
// their order.
func (c *Contact) Prepare(ctx context.Context, texts ...string) ([][]byte, error) {
	if c.friend.IsEmpty() {
		return nil, errNobody
	}
	stanzas := make([][]byte, len(texts))
	for i, text := range texts {
		plaintext, err := proto.Marshal(&waE2E.Message{Conversation: proto.String(text)})
		if err != nil {
			return nil, fmt.Errorf("failed to serialize a message: %w", err)
		}
		kind, ciphertext, err := c.signal.encrypt(ctx, append(plaintext, 1))
		if err != nil {
			return nil, fmt.Errorf("failed to encrypt a message: %w", err)
		}
		if stanzas[i], err = Message(c.friend, kind, ciphertext); err != nil {
			return nil, err
		}
	}
	return stanzas, nil
}
