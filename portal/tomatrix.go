package portal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

// ToMatrix converts what a contact sent. What Matrix has no word for becomes a notice that says what came: nothing is
// dropped in silence. The error for what is not for people to see, such as keys, wraps bridgev2.ErrIgnoringRemoteEvent
// and says why; there are no other errors.
//
// context holds the files of the message, see [Files], and what it answers; nil is nothing. What the message does to an
// earlier one is not looked for: see [ActionOf]. It becomes a notice, for when that one is not here.
//
// Each call returns a new value, which bridgev2 changes when it sends it: convert again for another try. Parts have the
// same ids each time.
func ToMatrix(message *waE2E.Message, context *Context) (*bridgev2.ConvertedMessage, error) {
	if context == nil {
		context = &Context{}
	}
	quote := ""
	if context.ReplyTo == "" {
		quote = quoteFor(message)
	}
	converted, err := convertMessage(message, context, quote)
	if err != nil {
		return nil, err
	}
	if context.ReplyTo != "" {
		converted.ReplyTo = &networkid.MessageOptionalPartID{MessageID: context.ReplyTo}
	}
	return converted, nil
}

// convertMessage puts the quote in front of the words if there are some, else behind the message.
func convertMessage(message *waE2E.Message, context *Context, quote string) (*bridgev2.ConvertedMessage, error) {
	if viewOnce(message) {
		return noticeOnce(message, quote), nil
	}
	message = unwrap(message)
	if text, ok := messageText(message); ok {
		if strings.TrimSpace(markup.Clean(text)) == "" {
			quote = ""
		}
		return convertText(quote+text, previewOf(message), context.file(0))
	}
	if file := incomingFile(message); file != nil {
		stored := context.file(0)
		switch {
		case stored == nil:
			return Unfetched(message, "It could not be stored.", ""), nil
		case file.msgType == event.MsgImage || file.msgType == event.MsgVideo || file.msgType == event.MsgFile:
			return convertFile(file, stored, quote+file.caption), nil
		default:
			return withQuote(convertFile(file, stored, ""), quote), nil
		}
	}
	switch {
	case message.ContactMessage != nil, message.ContactsArrayMessage != nil:
		return withQuote(convertContacts(message, context), quote), nil
	case message.LocationMessage != nil:
		return withQuote(convertLocation(message.LocationMessage, context), quote), nil
	}
	converted, err := convertOther(message)
	if err != nil {
		return nil, err
	}
	return withQuote(converted, quote), nil
}

// Kind names the kind of a message for the log: the field of the protobuf that it is in, such as "imageMessage".
func Kind(message *waE2E.Message) string {
	names := contentFields(unwrap(message))
	if len(names) == 0 {
		return "empty"
	}
	return string(names[0])
}

// messageText returns the text of a text message.
func messageText(message *waE2E.Message) (text string, ok bool) {
	switch {
	case message.GetConversation() != "":
		return message.GetConversation(), true
	case message.ExtendedTextMessage != nil:
		return message.ExtendedTextMessage.GetText(), true
	default:
		return "", false
	}
}

// contentFields returns the names of the fields that are set, without those that only go with others, in the order of
// the protobuf.
func contentFields(message *waE2E.Message) []protoreflect.Name {
	var fields []protoreflect.FieldDescriptor
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if field.Name() != "messageContextInfo" {
			fields = append(fields, field)
		}
		return true
	})
	slices.SortFunc(fields, func(a, b protoreflect.FieldDescriptor) int { return cmp.Compare(a.Number(), b.Number()) })
	names := make([]protoreflect.Name, len(fields))
	for i, field := range fields {
		names[i] = field.Name()
	}
	return names
}

// ignored makes the error for a message that is not for people. reason is for the log and holds no content.
func ignored(reason string) error {
	return fmt.Errorf("%w: %s", bridgev2.ErrIgnoringRemoteEvent, reason)
}
