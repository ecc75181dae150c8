package portal

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxWrappers is how many messages may be wrapped in one another. Clients of WhatsApp use two or three.
const maxWrappers = 8

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

// viewOnce tells whether a message holds a picture, video or recording that may be viewed once. It takes the message with
// its wrappers. Other kinds in such a wrapper are not meant: businesses wrap messages with buttons so.
func viewOnce(message *waE2E.Message) bool {
	inner := unwrap(message)
	switch {
	case inner.ImageMessage == nil && inner.VideoMessage == nil && inner.PtvMessage == nil && inner.AudioMessage == nil:
		return false
	case inner.GetImageMessage().GetViewOnce(), inner.GetVideoMessage().GetViewOnce(), inner.GetPtvMessage().GetViewOnce(),
		inner.GetAudioMessage().GetViewOnce():
		return true
	}
	for range maxWrappers {
		if message.GetViewOnceMessage() != nil || message.GetViewOnceMessageV2() != nil || message.GetViewOnceMessageV2Extension() != nil {
			return true
		}
		if message = wrapped(message); message == nil {
			break
		}
	}
	return false
}
