package whatsapp

import (
	"context"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

// Quote is a message that another one answers.
type Quote struct {
	ID      types.MessageID
	Sender  types.JID
	Message *waE2E.Message
}

// QuoteOf makes a quote of a received message.
func QuoteOf(message *events.Message) Quote {
	return Quote{ID: message.Info.ID, Sender: message.Info.Sender, Message: message.Message}
}

// SendReply answers a message, the device's own or one that it received.
func (d *Device) SendReply(ctx context.Context, to types.JID, quoted Quote, text string) (types.MessageID, error) {
	return d.Send(ctx, to, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String(text),
		ContextInfo: &waE2E.ContextInfo{
			StanzaID: proto.String(quoted.ID), Participant: proto.String(quoted.Sender.ToNonAD().String()), QuotedMessage: quoted.Message,
		},
	}})
}

// React puts an emoji on a message, in the place of the one before; an empty one takes it away. fromMe tells whether the
// message is the device's own.
func (d *Device) React(ctx context.Context, chat types.JID, target types.MessageID, fromMe bool, emoji string) (types.MessageID, error) {
	sender := chat
	if fromMe {
		sender = types.EmptyJID
	}
	return d.Send(ctx, chat, d.Client.BuildReaction(chat, sender, target, emoji))
}

// Edit gives a text message of the device a new text.
func (d *Device) Edit(ctx context.Context, to types.JID, target types.MessageID, text string) (types.MessageID, error) {
	return d.Send(ctx, to, d.Client.BuildEdit(to, target, &waE2E.Message{Conversation: proto.String(text)}))
}

// Delete takes a message of the device back, for everyone.
func (d *Device) Delete(ctx context.Context, to types.JID, target types.MessageID) (types.MessageID, error) {
	return d.Send(ctx, to, d.Client.BuildRevoke(to, types.EmptyJID, target))
}
