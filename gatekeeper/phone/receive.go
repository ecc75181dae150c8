package phone

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// maxEmoji bounds a reaction, in bytes: the longest family has about 40.
const maxEmoji = 64

// update finds the chat with an address, makes it if there is none, and changes it while mu is held. A new chat is accepted
// if the caller says so, if the contact was accepted before, or if it is no partner's user.
func (p *Phone) update(ctx context.Context, address types.JID, accepted bool, change func(*chat)) error {
	address = address.ToNonAD()
	p.mu.Lock()
	found := p.memory.chats[address]
	p.mu.Unlock()
	var contact Contact
	if found == nil {
		var err error
		if contact, err = p.registry.Find(ctx, address.String()); err != nil {
			return err
		}
		address = contact.Address
		saved, err := p.client.Store.Contacts.GetContact(ctx, address)
		if err != nil {
			return fmt.Errorf("failed to load a contact: %w", err)
		}
		accepted = accepted || contact.Partner == "" || saved.FullName != ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[address]
	if c == nil {
		c = p.memory.add(contact, accepted)
	}
	change(c)
	p.changed()
	return nil
}

// receive takes a message of a contact, or a copy of what another device of the user sent.
func (p *Phone) receive(ctx context.Context, event *events.Message) error {
	info, content := event.Info, event.Message
	if info.IsGroup || info.Chat.Server != types.HiddenUserServer {
		return nil
	}
	mine := info.IsFromMe
	return p.update(ctx, info.Chat, mine, func(c *chat) {
		if mine {
			c.accepted = true
		} else {
			c.stopTyping()
			if info.PushName != "" {
				c.contact.Name = info.PushName
			}
		}
		switch {
		case content.GetReactionMessage() != nil:
			c.react(mine, content.GetReactionMessage())
		case content.GetProtocolMessage() != nil:
			c.act(mine, content.GetProtocolMessage())
		default:
			p.remember(c, messageKey{mine, info.ID}, info.Timestamp, content)
		}
	})
}

// remember puts what came into the chat. It replaces what stood for it.
func (p *Phone) remember(c *chat, key messageKey, at time.Time, content *waE2E.Message) {
	body, file := bodyOf(content)
	quote := c.quoteIn(content)
	if known := c.byKey[key]; known != nil {
		if known.body.kind == KindWaiting {
			known.body, known.file, known.content, known.quote = body, file, content, quote
		}
		return
	}
	msg := &message{key: key, at: at, body: body, file: file, content: content, quote: quote, unread: !key.mine}
	if key.mine {
		msg.tick = Sent
	}
	p.memory.put(c, msg)
}

// receiveUnreadable shows that something came. The client asks for it again by itself.
func (p *Phone) receiveUnreadable(ctx context.Context, event *events.UndecryptableMessage) error {
	if event.Info.IsGroup || event.Info.Chat.Server != types.HiddenUserServer {
		return nil
	}
	return p.update(ctx, event.Info.Chat, event.Info.IsFromMe, func(c *chat) {
		key := messageKey{event.Info.IsFromMe, event.Info.ID}
		if c.byKey[key] == nil {
			p.memory.put(c, &message{key: key, at: event.Info.Timestamp, body: body{kind: KindWaiting}, unread: !key.mine})
		}
	})
}

// react puts an emoji of one side on a message, or takes it away. Whose message it is stands there as the sender sees it.
func (c *chat) react(mine bool, reaction *waE2E.ReactionMessage) {
	target := c.byKey[messageKey{reaction.GetKey().GetFromMe() == mine, reaction.GetKey().GetID()}]
	if target == nil || target.deleted {
		return
	}
	target.setReaction(mine, reaction.GetText())
}

func (m *message) setReaction(mine bool, emoji string) {
	if emoji = TidyName(cut(emoji, maxEmoji)); emoji == "" {
		delete(m.reactions, mine)
		return
	}
	if m.reactions == nil {
		m.reactions = make(map[bool]string, 2)
	}
	m.reactions[mine] = emoji
}

// act changes or deletes a message of the side that asks for it: nobody changes what the other one wrote.
func (c *chat) act(mine bool, action *waE2E.ProtocolMessage) {
	target := c.byKey[messageKey{mine, action.GetKey().GetID()}]
	if target == nil || target.deleted {
		return
	}
	switch action.GetType() {
	case waE2E.ProtocolMessage_REVOKE:
		target.erase()
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		changed, _ := bodyOf(action.GetEditedMessage())
		target.body.text, target.edited = changed.text, true
	}
}

// erase leaves of a message only that there was one.
func (m *message) erase() {
	m.deleted, m.body, m.file, m.content, m.quote, m.reactions = true, body{}, nil, nil, nil, nil
}

// receipt moves the ticks. A receipt from another device of the user says that the chat was read there.
func (p *Phone) receipt(event *events.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[event.Chat.ToNonAD()]
	if c == nil {
		return
	}
	if event.IsFromMe {
		for _, id := range event.MessageIDs {
			c.setRead(c.byKey[messageKey{false, id}])
		}
	} else if tick, ok := tickOf(event.Type); ok {
		for _, id := range event.MessageIDs {
			if msg := c.byKey[messageKey{true, id}]; msg != nil && msg.tick != Failed {
				msg.tick = max(msg.tick, tick)
			}
		}
	}
	p.changed()
}

// setRead takes a message of the contact, or nil.
func (c *chat) setRead(msg *message) {
	if msg != nil && msg.unread {
		msg.unread = false
		c.unread--
	}
}

// presence shows that the contact types.
func (p *Phone) presence(event *events.ChatPresence) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[event.Chat.ToNonAD()]
	if c == nil || event.IsFromMe {
		return
	}
	c.stopTyping()
	if event.State == types.ChatPresenceComposing {
		c.typing = time.AfterFunc(typingTimeout, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			c.typing = nil
			p.changed()
		})
	}
	p.changed()
}

// identityChanged puts a notice into the chat.
func (p *Phone) identityChanged(event *events.IdentityChange) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.memory.chats[event.JID.ToNonAD()]
	if c == nil {
		return
	}
	p.memory.put(c, &message{
		key: messageKey{id: fmt.Sprintf("identity %d", p.memory.next())}, at: event.Timestamp,
		body: body{kind: KindNotice, text: "The security code changed. Compare it again if that matters to you."},
	})
	p.changed()
}
