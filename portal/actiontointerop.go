package portal

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
)

var (
	// ErrNotEditable: messages of this kind cannot be edited, or not so.
	ErrNotEditable = errors.New("the message cannot be edited so")
	// ErrInvalidEmoji: what was reacted with is no emoji.
	ErrInvalidEmoji = errors.New("not an emoji")
)

// EditToInterop makes the message that edits one of our user's. content is what it becomes, target its id, original what
// was sent, nil if that is not known any more, and at when the edit was made. All errors are bridgev2.MessageStatus with a
// sentence for the user: [ErrNotEditable] and those of [ToInterop].
//
// Of a message with a file only the caption can be edited. Whether the file is still the same is for the caller to
// compare: content.File.URL is that of the attachment then.
func EditToInterop(
	content *event.MessageEventContent, target types.MessageID, chat types.JID, original *waE2E.Message, at time.Time,
) (*waE2E.Message, error) {
	if content.NewContent != nil {
		content = content.NewContent
	}
	var edited *waE2E.Message
	var err error
	switch {
	case content.MsgType.IsText():
		edited, err = editedText(content, original)
	case content.MsgType.IsMedia():
		edited, err = editedFile(content, original)
	default:
		err = notEditable("Messages of this kind cannot be edited.")
	}
	if err != nil {
		return nil, err
	}
	return &waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
		ProtocolMessage: &waE2E.ProtocolMessage{
			Type:          waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
			Key:           messageKey(target, true, chat),
			EditedMessage: edited,
			TimestampMS:   proto.Int64(at.UnixMilli()),
		},
	}}}, nil
}

// editedText keeps what the original answers.
func editedText(content *event.MessageEventContent, original *waE2E.Message) (*waE2E.Message, error) {
	if inner := unwrap(original); original != nil {
		if _, ok := messageText(inner); !ok {
			return nil, notEditable("A file cannot be turned into a text. Please delete the message, and write a new one.")
		}
	}
	out, err := textMessage(content)
	if err != nil {
		return nil, err
	}
	if info := contextInfo(unwrap(original)); info != nil {
		setContextInfo(out.Message, proto.CloneOf(info))
	}
	return out.Message, nil
}

// editedFile changes the caption.
func editedFile(content *event.MessageEventContent, original *waE2E.Message) (*waE2E.Message, error) {
	if original == nil {
		return nil, notEditable("The file's message is not at hand any more, so that its text cannot be edited. Please write a new message.")
	}
	caption, err := captionOf(content)
	if err != nil {
		return nil, err
	}
	edited := proto.CloneOf(unwrap(original))
	switch text := optional(caption); {
	case !sameFile(content, edited):
		return nil, notEditable("Only the text of a file can be edited, not the file. Please delete the message, and send a new one.")
	case edited.ImageMessage != nil:
		edited.ImageMessage.Caption = text
	case edited.VideoMessage != nil:
		edited.VideoMessage.Caption = text
	case edited.DocumentMessage != nil:
		edited.DocumentMessage.Caption = text
	default:
		return nil, notEditable("Messages of this kind cannot be edited.")
	}
	return withCaption(edited), nil
}

// sameFile finds out most changes of a file: of the kind, and of the size if it was not converted.
func sameFile(content *event.MessageEventContent, message *waE2E.Message) bool {
	file := incomingFile(message)
	if file == nil {
		return false
	}
	if file.msgType != event.MsgFile && file.msgType != content.MsgType && !file.gif && file.msgType != "" {
		return false
	}
	length := fileLength(message)
	converted := content.Info == nil || plainMimeType(content.Info.MimeType) != plainMimeType(file.mimeType)
	return converted || length == 0 || content.Info.Size <= 0 || length == uint64(content.Info.Size)
}

func fileLength(message *waE2E.Message) uint64 {
	return max(message.GetImageMessage().GetFileLength(), message.GetVideoMessage().GetFileLength(), message.GetDocumentMessage().GetFileLength())
}

func notEditable(sentence string) error {
	return refuse(ErrNotEditable, event.MessageStatusUnsupported, sentence)
}

// DeleteToInterop makes the message that deletes one of our user's for everyone.
func DeleteToInterop(target types.MessageID, chat types.JID) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_REVOKE.Enum(),
		Key:  messageKey(target, true, chat),
	}}
}

// ReactionToInterop makes a reaction to a message, of our user if fromMe is set. It takes the place of the one before; ""
// takes that back. The error is a bridgev2.MessageStatus with a sentence for the user, [ErrInvalidEmoji].
func ReactionToInterop(target types.MessageID, fromMe bool, chat types.JID, emoji string, at time.Time) (*waE2E.Message, error) {
	err := checkEmoji(emoji)
	if strings.Contains(emoji, "://") {
		err = fmt.Errorf("%w: an address", ErrInvalidEmoji) // of a picture, as clients with emoji of their own send it
	}
	if err != nil {
		return nil, refuse(err, event.MessageStatusUnsupported, "The recipient's app shows emoji only.")
	}
	return &waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{
		Key:               messageKey(target, fromMe, chat),
		Text:              proto.String(emoji),
		SenderTimestampMS: proto.Int64(at.UnixMilli()),
	}}, nil
}

// messageKey names a message of a 1:1 chat. chat is the contact.
func messageKey(target types.MessageID, fromMe bool, chat types.JID) *waCommon.MessageKey {
	return &waCommon.MessageKey{
		RemoteJID: proto.String(chat.ToNonAD().String()),
		FromMe:    proto.Bool(fromMe),
		ID:        proto.String(target),
	}
}
