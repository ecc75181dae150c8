package phone

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

const (
	// sendTimeout bounds sending one message, looking for the contact's devices and keys included.
	sendTimeout = 30 * time.Second
	// MaxText is how long a text may be, in bytes.
	MaxText = maxText
)

var (
	// ErrNoChat is returned for a chat or a message that the phone does not know, or no more.
	ErrNoChat = errors.New("this chat or message is not there any more")
	// ErrTooLong is returned for a text of more than MaxText bytes.
	ErrTooLong = errors.New("this text is too long")
	// ErrNotYours is returned when somebody else's message is to be deleted.
	ErrNotYours = errors.New("only your own messages can be deleted for everyone")
)

// SendText writes to a chat. answer is the number of the message that is answered, 0 for none. A message that cannot be sent
// is no error: it stays in the chat and says so.
func (p *Phone) SendText(key, text string, answer uint64) error {
	if text = strings.TrimSpace(text); text == "" {
		return nil
	} else if len(text) > MaxText {
		return ErrTooLong
	}
	return p.send(key, answer, func(quoted *waE2E.ContextInfo) *waE2E.Message {
		if quoted == nil {
			return &waE2E.Message{Conversation: &text}
		}
		return &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: &text, ContextInfo: quoted}}
	})
}

// send shows a message and sends it. Writing to somebody accepts them.
func (p *Phone) send(key string, answer uint64, content func(*waE2E.ContextInfo) *waE2E.Message) error {
	if err := p.Accept(key); err != nil {
		return err
	}
	p.mu.Lock()
	c := p.memory.chats[addressOf(key)]
	if c == nil {
		p.mu.Unlock()
		return ErrNoChat
	}
	var quoted *waE2E.ContextInfo
	if target := c.numbered(answer); target != nil && target.content != nil {
		quoted = target.answering(p.client.Store.GetLID().ToNonAD().String())
	}
	message := content(quoted)
	id := p.client.GenerateMessageID()
	p.remember(c, messageKey{true, id}, time.Now(), message)
	msg := c.byKey[messageKey{true, id}]
	msg.tick = Pending
	p.changed()
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(p.client.BackgroundEventCtx, sendTimeout)
	defer cancel()
	_, err := p.client.Send(ctx, c.contact.Address, message, id)
	if err != nil {
		p.log.Err(err).Str("id", id).Msg("Phone cannot send a message")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		msg.tick, msg.failure = Failed, whyNotSent(err)
	} else {
		msg.tick = max(msg.tick, Sent) // a receipt may have been faster
	}
	p.changed()
	return nil
}

// whyNotSent is what the user reads.
func whyNotSent(err error) string {
	switch {
	case errors.Is(err, whatsmeow.ErrNotConnected), errors.Is(err, whatsmeow.ErrNotLoggedIn):
		return "Not sent: the phone is not connected."
	case errors.Is(err, whatsmeow.ErrServerReturnedError), errors.Is(err, whatsmeow.ErrNoSession):
		return "Not sent: the chat server refused it. Are third-party chats on, and is this service allowed?"
	default:
		return "Not sent."
	}
}

// addressOf is the address of the contact of the chat with the key.
func addressOf(key string) types.JID { return types.NewJID(key, types.HiddenUserServer) }

// transmit sends what is not shown as a message of its own, and then changes the chat if it was taken.
func (p *Phone) transmit(key string, number uint64, content func(*message) (*waE2E.Message, error), change func(*message)) error {
	p.mu.Lock()
	c := p.memory.chats[addressOf(key)]
	var msg *message
	if c != nil {
		msg = c.numbered(number)
	}
	p.mu.Unlock()
	if msg == nil {
		return ErrNoChat
	}
	made, err := content(msg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.client.BackgroundEventCtx, sendTimeout)
	defer cancel()
	if _, err = p.client.Send(ctx, c.contact.Address, made, p.client.GenerateMessageID()); err != nil {
		p.log.Err(err).Msg("Phone cannot change a message")
		return errors.New(whyNotSent(err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	change(msg)
	p.changed()
	return nil
}

// React puts an emoji on a message in the place of the one before; "" takes it away.
func (p *Phone) React(key string, number uint64, emoji string) error {
	emoji = TidyName(cut(emoji, maxEmoji))
	return p.transmit(key, number, func(m *message) (*waE2E.Message, error) {
		sender := m.chat.contact.Address
		if m.key.mine {
			sender = types.EmptyJID
		}
		return p.client.BuildReaction(m.chat.contact.Address, sender, m.key.id, emoji), nil
	}, func(m *message) { m.setReaction(true, emoji) })
}

// Delete takes a message of the user's own back, for everyone.
func (p *Phone) Delete(key string, number uint64) error {
	return p.transmit(key, number, func(m *message) (*waE2E.Message, error) {
		if !m.key.mine {
			return nil, ErrNotYours
		}
		return p.client.BuildRevoke(m.chat.contact.Address, types.EmptyJID, m.key.id), nil
	}, (*message).erase)
}

// Type tells the contact that the user types or stopped. Contacts that were not accepted hear nothing.
func (p *Phone) Type(ctx context.Context, key string, typing bool) error {
	if address, ok := p.open(key); ok {
		state := types.ChatPresencePaused
		if typing {
			state = types.ChatPresenceComposing
		}
		return p.client.SendChatPresence(ctx, address, state, types.ChatPresenceMediaText)
	}
	return nil
}

// open returns the address of a chat whose contact was accepted and is not blocked.
func (p *Phone) open(key string) (address types.JID, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[addressOf(key)]
	if c == nil || !c.accepted || p.blocked[c.contact.Address] {
		return address, false
	}
	return c.contact.Address, true
}

// MarkRead tells the contact that everything was read. Contacts that were not accepted hear nothing.
func (p *Phone) MarkRead(ctx context.Context, key string) error {
	address, ok := p.open(key)
	if !ok {
		return nil
	}
	p.mu.Lock()
	var ids []types.MessageID
	if c := p.memory.chats[address]; c != nil {
		for _, msg := range c.messages {
			if msg.unread {
				if msg.body.kind != KindWaiting {
					ids = append(ids, msg.key.id)
				}
				c.setRead(msg)
			}
		}
		if len(ids) > 0 {
			p.changed()
		}
	}
	p.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return p.client.MarkRead(ctx, ids, time.Now(), address, types.EmptyJID)
}

// given is how optional fields of a protobuf message are set: the zero value is left out.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return proto.String(text)
}
