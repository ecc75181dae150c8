package phone_test

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"postern/gatekeeper/phone"
)

// registry knows a Matrix user for every address, and a WhatsApp user for those that begin with a 9.
type registry struct{ phone.Registry }

func (registry) Find(_ context.Context, name string) (phone.Contact, error) {
	address, err := types.ParseJID(name)
	if err != nil {
		return phone.Contact{}, phone.ErrNobody
	}
	contact := phone.Contact{Address: address, Name: "user " + address.User, ID: "@" + address.User + ":example.org", Partner: "Matrix"}
	if strings.HasPrefix(address.User, "9") {
		contact.ID, contact.Partner = "+"+address.User, ""
	}
	return contact, nil
}

// comes is a message in the chat with the contact.
func comes(contact string, mine bool, id string, message *waE2E.Message) *events.Message {
	chat := types.NewJID(contact, types.HiddenUserServer)
	return &events.Message{Info: types.MessageInfo{
		MessageSource: types.MessageSource{Chat: chat, Sender: chat, IsFromMe: mine}, ID: id, Timestamp: time.Unix(1_800_000_000, 0),
	}, Message: message}
}

func words(text string) *waE2E.Message { return &waE2E.Message{Conversation: proto.String(text)} }

// about is a message about another one.
func about(kind waE2E.ProtocolMessage_Type, id string, edited *waE2E.Message) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: kind.Enum(), Key: &waCommon.MessageKey{ID: proto.String(id), FromMe: proto.Bool(true)}, EditedMessage: edited,
	}}
}

func reaction(emoji, id string, fromMe bool) *waE2E.Message {
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Text: proto.String(emoji), Key: &waCommon.MessageKey{ID: proto.String(id), FromMe: proto.Bool(fromMe)},
	}}
}
