package interop

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// KindFile is the kind of a message that is not complete, as its file is still to be carried.
const KindFile = "file"

// Kinds are all that KindOf, [SendResult] and nothing else may say: few, so that they can be counted one by one.
var Kinds = []string{
	"text", "image", "video", "gif", "audio", "voice", "sticker", "document", "contact", "location", "poll",
	"reaction", "edit", "deletion", "other", KindFile,
}

// KindOf returns what a message is in one word.
func KindOf(message *waE2E.Message) string {
	message = unwrap(message)
	kind := kindOfMessage(message)
	switch {
	case kind.stanza == "reaction", kind.stanza == "poll":
		return kind.stanza
	case kind.edit == types.EditAttributeSenderRevoke:
		return "deletion"
	case kind.edit == types.EditAttributeMessageEdit:
		return "edit"
	case message.GetLocationMessage() != nil, message.GetLiveLocationMessage() != nil:
		return "location"
	}
	switch kind.media {
	case "ptt":
		return "voice"
	case "vcard", "contact_array":
		return "contact"
	case "url":
		return "text"
	case "":
		if message.Conversation == nil && message.ExtendedTextMessage == nil {
			return "other"
		}
		return "text"
	default:
		return kind.media
	}
}

// kindName is KindOf for the outbox.
func kindName(outgoing *Outgoing) string {
	if outgoing.Draft {
		return KindFile
	}
	var message waE2E.Message
	if proto.Unmarshal(outgoing.Plaintext, &message) != nil {
		return "other"
	}
	return KindOf(&message)
}
