package portal

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/bridgev2"
)

// convertProtocol makes notices of what people do to earlier messages, for when those are not in the room, and to the
// chat. All other protocol messages are between devices.
func convertProtocol(message *waE2E.ProtocolMessage) (*bridgev2.ConvertedMessage, error) {
	switch kind := message.GetType(); kind {
	case waE2E.ProtocolMessage_REVOKE:
		if message.Type == nil {
			return nil, ignored("protocol message without a type")
		}
		return Notice("Deleted a message that is not here."), nil
	case waE2E.ProtocolMessage_MESSAGE_EDIT:
		return convertEdit(message.GetEditedMessage()), nil
	case waE2E.ProtocolMessage_EPHEMERAL_SETTING:
		if message.GetEphemeralExpiration() == 0 {
			return Notice("Turned off disappearing messages."), nil
		}
		return Notice("Turned on disappearing messages."), nil
	default:
		return nil, ignored("protocol message " + kind.String())
	}
}

// convertEdit shows what a message was changed to.
func convertEdit(edited *waE2E.Message) *bridgev2.ConvertedMessage {
	edited = unwrap(edited)
	words, ok := messageText(edited)
	if !ok {
		words = readableText(edited)
	}
	if strings.TrimSpace(words) == "" {
		return Notice("Changed a message that is not here.")
	}
	return Notice("Changed a message that is not here. It now says:\n" + words)
}

// convertReaction shows a reaction as a notice. An empty one takes back the one before.
func convertReaction(reaction *waE2E.ReactionMessage) *bridgev2.ConvertedMessage {
	if strings.TrimSpace(reaction.GetText()) == "" {
		return Notice("Took back a reaction to a message that is not here.")
	}
	return Notice("Reacted with " + reaction.GetText() + " to a message that is not here.")
}
