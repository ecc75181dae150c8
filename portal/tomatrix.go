package portal

import (
	"cmp"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
	"maunium.net/go/mautrix/bridgev2"
)

// maxWrappers is how many messages may be wrapped in one another. Clients of WhatsApp use two or three.
const maxWrappers = 8

// ToMatrix converts what a contact sent. Text becomes text, everything else a notice that says what came: nothing is
// dropped in silence. The error for what is not for people to see, such as keys, wraps bridgev2.ErrIgnoringRemoteEvent
// and says why; there are no other errors.
//
// Each call returns a new value, which bridgev2 changes when it sends it: convert again for another try.
func ToMatrix(message *waE2E.Message) (*bridgev2.ConvertedMessage, error) {
	message = unwrap(message)
	if text, ok := messageText(message); ok {
		return convertText(text)
	}
	return convertOther(message)
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

// unwrap takes a message out of what says how it is to be treated: disappearing, viewed once, with a caption, sent from
// another device and so on. It never returns nil.
func unwrap(message *waE2E.Message) *waE2E.Message {
	for range maxWrappers {
		inner := wrapped(message)
		if inner == nil {
			break
		}
		message = inner
	}
	if message == nil {
		message = &waE2E.Message{}
	}
	return message
}

// wrapped returns the message inside, nil if this one is not a wrapper. All wrappers but one have the same type, so
// that those that are added to the protobuf later are found as well.
func wrapped(message *waE2E.Message) (inner *waE2E.Message) {
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Kind() != protoreflect.MessageKind {
			return true
		}
		switch wrapper := value.Message().Interface().(type) {
		case *waE2E.FutureProofMessage:
			inner = wrapper.GetMessage()
		case *waE2E.DeviceSentMessage:
			inner = wrapper.GetMessage()
		}
		return inner == nil
	})
	return inner
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
