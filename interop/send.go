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
	if !isContact(chat) {
		return ErrUnknownContact
	}
	plaintext, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("failed to serialize the message: %w", err)
	} else if len(plaintext) > maxPlaintext {
		return ErrTooLarge
	}
	c.sending.Lock()
	added, err := c.options.Store.Enqueue(ctx, Outgoing{
		ID: id, Chat: chat.ToNonAD(), Plaintext: plaintext, Ref: ref, Created: c.options.Clock.Now(),
	})
	c.sending.Unlock()
	if err != nil {
		return fmt.Errorf("failed to store the message: %w", err)
	}
	if !added {
		return nil
	}
	c.mu.Lock()
	current := c.current
	c.mu.Unlock()
	if current != nil {
		current.outbox.wake()
	}
	return nil
}

// MessageID returns the id for a message with the given reference: the same reference always gives the same id, so
// that what is sent again after a crash is known as the same message. It looks like the ids of WhatsApp's own clients.
func MessageID(account types.JID, ref string) types.MessageID {
	hash := sha256.Sum256([]byte(wire.FormatJID(account) + "\x00" + ref))
	return "3EB0" + strings.ToUpper(hex.EncodeToString(hash[:9]))
}

// messageKind is what the envelope of a message tells about its content.
type messageKind struct {
	// stanza is the type attribute: text, media, reaction or poll.
	stanza string
	// media is the mediatype attribute of the ciphertexts, "" if there is none.
	media string
	// edit is the edit attribute, "" for an ordinary message.
	edit types.EditAttribute
	// hide asks the recipient to show nothing if the message cannot be decrypted.
	hide bool
}

// kindOf reads the kind off a serialized message. What cannot be read is text.
func kindOf(plaintext []byte) messageKind {
	var message waE2E.Message
	if proto.Unmarshal(plaintext, &message) != nil {
		return messageKind{stanza: "text"}
	}
	return kindOfMessage(&message)
}

func kindOfMessage(message *waE2E.Message) messageKind {
	if change := message.GetProtocolMessage(); change.GetKey() != nil {
		switch change.GetType() {
		case waE2E.ProtocolMessage_REVOKE:
			return messageKind{stanza: "text", edit: types.EditAttributeSenderRevoke, hide: true}
		case waE2E.ProtocolMessage_MESSAGE_EDIT:
			return messageKind{stanza: "text", edit: types.EditAttributeMessageEdit, hide: true}
		}
	}
	if reaction := message.GetReactionMessage(); reaction != nil {
		kind := messageKind{stanza: "reaction", hide: true}
		if reaction.GetText() == "" {
			kind.edit = types.EditAttributeSenderRevoke
		}
		return kind
	}
	if message.GetPollCreationMessage() != nil || message.GetPollUpdateMessage() != nil {
		return messageKind{stanza: "poll"}
	}
	if media := mediaTypeOf(message); media != "" {
		return messageKind{stanza: "media", media: media}
	}
	return messageKind{stanza: "text"}
}

func mediaTypeOf(message *waE2E.Message) string {
	switch {
	case message.GetImageMessage() != nil:
		return "image"
	case message.GetVideoMessage() != nil && message.GetVideoMessage().GetGifPlayback():
		return "gif"
	case message.GetVideoMessage() != nil:
		return "video"
	case message.GetAudioMessage() != nil && message.GetAudioMessage().GetPTT():
		return "ptt"
	case message.GetAudioMessage() != nil:
		return "audio"
	case message.GetDocumentMessage() != nil:
		return "document"
	case message.GetStickerMessage() != nil:
		return "sticker"
	case message.GetContactMessage() != nil:
		return "vcard"
	default:
		return ""
	}
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
