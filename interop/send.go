package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop/wire"
)

// maxPlaintext bounds a message of ours, in bytes of its protobuf. Media are not in it, only their keys and thumbnails.
const maxPlaintext = 64 << 10

// Send stores the message in the outbox and returns; it is sent as soon as the channel is up, in the order of the calls
// within a chat, and its fate comes as a [SendResult]. A second call with the same id does nothing. ref is carried to
// the result. Must not be called within a transaction of the store.
// Errors: ErrTooLarge over 64 KiB, ErrUnknownContact for a JID that is no contact, and those of the store.
func (c *Client) Send(ctx context.Context, chat types.JID, id types.MessageID, message *waE2E.Message, ref string) error {
	plaintext, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("failed to serialize the message: %w", err)
	} else if len(plaintext) > maxPlaintext {
		return ErrTooLarge
	}
	return c.enqueue(ctx, Outgoing{ID: id, Chat: chat, Plaintext: plaintext, Ref: ref})
}

// enqueue stores a message or draft and wakes the sender.
func (c *Client) enqueue(ctx context.Context, message Outgoing) error {
	if !isContact(message.Chat) {
		return ErrUnknownContact
	}
	message.Chat, message.Created = message.Chat.ToNonAD(), c.options.Clock.Now()
	c.sending.Lock()
	_, err := c.options.Store.Enqueue(ctx, message)
	c.sending.Unlock()
	if err != nil {
		return fmt.Errorf("failed to store the message: %w", err)
	}
	// Also if it was there: a store whose connection ends in a commit may have stored it and said that it did not.
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current != nil {
		current.outbox.wake()
	}
	return nil
}

// Outgoing returns a message of ours, as long as it is kept: for two weeks, unless there are a thousand newer ones. It is
// nil if it is unknown, failed, or still a draft.
func (c *Client) Outgoing(ctx context.Context, id types.MessageID) (*waE2E.Message, error) {
	kept, err := c.options.Store.FindOutgoing(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("failed to load the message: %w", err)
	} else if kept == nil || kept.Draft || kept.Plaintext == nil {
		return nil, nil
	}
	message := new(waE2E.Message)
	if proto.Unmarshal(kept.Plaintext, message) != nil {
		return nil, fmt.Errorf("failed to read the message: %w", errBadPlaintext) // the library's error may quote contents
	}
	return message, nil
}

// MessageID returns the id for a message with the given reference: the same reference always gives the same id, so
// that what is sent again after a crash is known as the same message. It looks like the ids of WhatsApp's own clients.
func MessageID(account types.JID, ref string) types.MessageID {
	hash := sha256.Sum256([]byte(wire.FormatJID(account) + "\x00" + ref))
	return "3EB0" + strings.ToUpper(hex.EncodeToString(hash[:9]))
}

// encNode is one ciphertext.
func encNode(message encrypted, kind messageKind) waBinary.Node {
	attrs := waBinary.Attrs{"v": "2", "type": string(message.kind)}
	if kind.media != "" {
		attrs["mediatype"] = kind.media
	}
	if kind.hide {
		attrs["decrypt-fail"] = "hide"
	}
	return waBinary.Node{Tag: "enc", Attrs: attrs, Content: message.ciphertext}
}

// messageNode is a message for all devices of a contact.
func messageNode(message *Outgoing, kind messageKind, ciphertexts []encrypted) waBinary.Node {
	participants := make([]waBinary.Node, len(ciphertexts))
	for i, ciphertext := range ciphertexts {
		participants[i] = waBinary.Node{
			Tag: "to", Attrs: waBinary.Attrs{"jid": ciphertext.device},
			Content: []waBinary.Node{encNode(ciphertext, kind)},
		}
	}
	attrs := waBinary.Attrs{"id": message.ID, "type": kind.stanza, "to": message.Chat}
	if kind.edit != "" {
		attrs["edit"] = string(kind.edit)
	}
	return waBinary.Node{Tag: "message", Attrs: attrs, Content: []waBinary.Node{{Tag: "participants", Content: participants}}}
}
