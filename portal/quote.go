package portal

import (
	"math"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/event"

	"postern/interop/wire"
)

// maxQuotedText is how much of an answered text goes with the answer, in characters. Apps show two or three lines.
const maxQuotedText = 1000

// QuoteOf returns how a message of the room is quoted to the contact: its words and kind, but no file. kind is the type of
// the event. nil content, such as that of an event that cannot be decrypted any more, is an empty text; the recipient's app
// knows the message by its id anyway.
func QuoteOf(content *event.MessageEventContent, kind event.Type) *waE2E.Message {
	if content == nil {
		return &waE2E.Message{Conversation: proto.String("")}
	}
	quoted := *content
	if kind == event.EventSticker {
		quoted.MsgType = event.CapMsgSticker
	}
	switch {
	case quoted.MsgType == event.MsgLocation:
		if location, ok := locationMessage(&quoted, nil); ok {
			return &waE2E.Message{LocationMessage: location}
		}
	case quoted.MsgType.IsMedia() && quoted.File != nil:
		caption := ""
		if quoted.MsgType != event.CapMsgSticker && quoted.GetCaption() != "" {
			caption = cutText(markedText(&quoted), maxQuotedText)
		}
		if out, err := fileMessage(&quoted, caption); err == nil {
			return out.Message
		}
	}
	return &waE2E.Message{Conversation: proto.String(cutText(markedText(&quoted), maxQuotedText))}
}

// info returns what goes beside the content of a message, nil if nothing.
func (c *OutgoingContext) info() *waE2E.ContextInfo {
	if c.Quote == nil && c.Timer <= 0 {
		return nil
	}
	info := &waE2E.ContextInfo{}
	if quote := c.Quote; quote != nil {
		participant := quote.Participant
		if participant.IsEmpty() {
			participant = c.Self
		}
		info.StanzaID = proto.String(quote.ID)
		info.Participant = proto.String(wire.FormatJID(participant.ToNonAD()))
		info.QuotedMessage = quote.Message
		if info.QuotedMessage == nil {
			info.QuotedMessage = QuoteOf(nil, event.EventMessage)
		}
	}
	if c.Timer > 0 {
		info.Expiration = proto.Uint32(timerSeconds(c.Timer))
	}
	return info
}

// timerSeconds rounds up, so that a timer never turns into none.
func timerSeconds(timer time.Duration) uint32 {
	return uint32(min((max(timer, 0)+time.Second-1)/time.Second, math.MaxUint32))
}

// setContextInfo puts it into whatever the message holds. A bare text becomes one that has room for it.
func setContextInfo(message *waE2E.Message, info *waE2E.ContextInfo) {
	if message.Conversation != nil {
		message.ExtendedTextMessage = &waE2E.ExtendedTextMessage{Text: message.Conversation}
		message.Conversation = nil
	}
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind {
			return true
		}
		content := value.Message()
		if beside := content.Descriptor().Fields().ByName("contextInfo"); beside != nil {
			content.Set(beside, protoreflect.ValueOfMessage(info.ProtoReflect()))
		}
		return true
	})
}
