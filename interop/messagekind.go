package interop

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

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

// kindOf reads the kind off a serialized message [W]. What cannot be read is text.
func kindOf(plaintext []byte) messageKind {
	var message waE2E.Message
	if proto.Unmarshal(plaintext, &message) != nil {
		return messageKind{stanza: "text"}
	}
	return kindOfMessage(unwrap(&message))
}

// unwrap takes a message out of what says how it is to be treated, which does not change its kind.
func unwrap(message *waE2E.Message) *waE2E.Message {
	for {
		inner := message
		for _, wrapper := range []*waE2E.FutureProofMessage{
			message.GetDocumentWithCaptionMessage(), message.GetEphemeralMessage(), message.GetEditedMessage(),
			message.GetViewOnceMessage(), message.GetViewOnceMessageV2(), message.GetViewOnceMessageV2Extension(),
			message.GetLottieStickerMessage(),
		} {
			if wrapper.GetMessage() != nil {
				inner = wrapper.GetMessage()
			}
		}
		if inner == message {
			return message
		}
		message = inner
	}
}

func kindOfMessage(message *waE2E.Message) messageKind {
	if change := message.GetProtocolMessage(); change.GetKey() != nil {
		switch change.GetType() {
		case waE2E.ProtocolMessage_REVOKE:
			return messageKind{stanza: "text", edit: types.EditAttributeSenderRevoke, hide: true}
		case waE2E.ProtocolMessage_MESSAGE_EDIT: // also of a caption: the file stays as it is
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
		return messageKind{stanza: "poll", hide: message.GetPollUpdateMessage() != nil}
	}
	if media := mediaTypeOf(message); media != "" {
		return messageKind{stanza: "media", media: media}
	}
	return messageKind{stanza: "text"}
}

// mediaTypeOf returns "" for what is sent as text, which locations and video notes are too.
func mediaTypeOf(message *waE2E.Message) string {
	switch {
	case message.GetExtendedTextMessage() != nil && message.GetExtendedTextMessage().Title != nil: // with a link's preview
		return "url"
	case message.GetImageMessage() != nil:
		return "image"
	case message.GetStickerMessage() != nil:
		return "sticker"
	case message.GetDocumentMessage() != nil:
		return "document"
	case message.GetAudioMessage().GetPTT():
		return "ptt"
	case message.GetAudioMessage() != nil:
		return "audio"
	case message.GetVideoMessage().GetGifPlayback():
		return "gif"
	case message.GetVideoMessage() != nil:
		return "video"
	case message.GetContactMessage() != nil:
		return "vcard"
	case message.GetContactsArrayMessage() != nil:
		return "contact_array"
	default:
		return ""
	}
}
