package portal

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

// maxTextSize is how many bytes a text may have. The interop client takes 64 KiB for the whole message.
const maxTextSize = 65_000

var (
	// ErrUnsupportedKind: messages of this kind cannot be sent.
	ErrUnsupportedKind = errors.New("messages of this kind cannot be sent")
	// ErrTextTooLong: the text is over WhatsApp's limit.
	ErrTextTooLong = errors.New("text too long")
	// ErrNoText: there is nothing in the message to send.
	ErrNoText = errors.New("message without text")
)

// ToInterop converts what our user wrote. All errors are bridgev2.MessageStatus with a sentence for the user; errors.Is
// tells [ErrUnsupportedKind], [ErrTextTooLong] and [ErrNoText].
//
// It takes bridgev2's whole message and not its content alone, because what the message replies to is part of it.
func ToInterop(message *bridgev2.MatrixMessage) (*waE2E.Message, error) {
	text, err := convertContent(message.Content)
	if err != nil {
		return nil, err
	}
	switch {
	case text == "":
		return nil, refuse(ErrNoText, event.MessageStatusUnsupported, "There is no text in it.")
	case utf8.RuneCountInString(text) > MaxTextLength || len(text) > maxTextSize:
		return nil, refuse(ErrTextTooLong, event.MessageStatusUnsupported, fmt.Sprintf(
			"It is too long: the recipient's app takes %d characters. Please send it in smaller pieces.", MaxTextLength))
	}
	return &waE2E.Message{Conversation: proto.String(text)}, nil
}

// convertContent returns a message's text with WhatsApp's markers.
func convertContent(content *event.MessageEventContent) (string, error) {
	style := markup.Plain
	switch content.MsgType {
	case event.MsgText, event.MsgNotice:
	case event.MsgEmote:
		// "/me waves" is written in italics, since the chat shows who sent it. WhatsApp has nothing like it.
		style = markup.Italic
	default:
		kind := kindsNotSent[content.GetCapMsgType()]
		if kind == "" {
			kind = kindsNotSent[content.MsgType]
		}
		if kind == "" {
			kind = "Messages of this kind"
		}
		return "", refuse(ErrUnsupportedKind, event.MessageStatusUnsupported, kind+" cannot be sent to this contact yet. Please write a text instead.")
	}
	if content.Format == event.FormatHTML && content.FormattedBody != "" && len(content.FormattedBody) <= markup.MaxHTML {
		if text := markup.FromHTML(content.FormattedBody, style); text != "" {
			return text, nil
		}
	}
	body := content.Body
	if content.RelatesTo.GetReplyTo() != "" {
		body = event.TrimReplyFallbackText(body)
	}
	return markup.FromText(body, style), nil
}

// kindsNotSent say what cannot be sent.
var kindsNotSent = map[event.MessageType]string{
	event.MsgImage:               "Pictures",
	event.MsgVideo:               "Videos",
	event.MsgAudio:               "Audio files",
	event.MsgFile:                "Files",
	event.MsgLocation:            "Locations",
	event.CapMsgVoice:            "Voice messages",
	event.CapMsgGIF:              "GIFs",
	event.CapMsgSticker:          "Stickers",
	event.MsgBeeperGallery:       "Galleries",
	event.MsgVerificationRequest: "Verification requests",
}

// refuse makes the error for a message that will never be sent: the client shows it as failed, and a notice in the room
// says why.
func refuse(cause error, reason event.MessageStatusReason, sentence string) error {
	return bridgev2.WrapErrorInStatus(cause).
		WithStatus(event.MessageStatusFail).
		WithErrorReason(reason).
		WithIsCertain(true).
		WithSendNotice(true).
		WithMessage(sentence)
}
