package portal

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
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
	// ErrNotEncrypted: the file lies open on the homeserver.
	ErrNotEncrypted = errors.New("file without encryption")
	// ErrInvalidLocation: the location is none on earth.
	ErrInvalidLocation = errors.New("not a location")
)

// OutgoingContext is what has to be known beside our user's message to send it. The zero value is nothing.
type OutgoingContext struct {
	// Quote is what the message answers, nil for nothing.
	Quote *Quote
	// Timer is how long messages of the chat are kept; 0 is for ever.
	Timer time.Duration
	// Self is our user, for a quote of a message of their own.
	Self types.JID
}

// Quote is a message that is answered.
type Quote struct {
	ID types.MessageID
	// Participant is who wrote it; empty for our user.
	Participant types.JID
	// Message is what it was, see [QuoteOf].
	Message *waE2E.Message
}

// ToInterop converts what our user wrote. context may be nil. All errors are bridgev2.MessageStatus with a sentence for
// the user; errors.Is tells which of the errors above it is.
//
// It takes bridgev2's whole message and not its content alone, because a location is in fields that the content does not
// have.
func ToInterop(message *bridgev2.MatrixMessage, context *OutgoingContext) (*Outgoing, error) {
	if context == nil {
		context = &OutgoingContext{}
	}
	content := message.Content
	var out *Outgoing
	var err error
	switch {
	case content.MsgType.IsText():
		out, err = textMessage(content)
	case content.MsgType.IsMedia():
		var caption string
		if caption, err = captionOf(content); err == nil {
			out, err = fileMessage(content, caption)
		}
	case content.MsgType == event.MsgLocation:
		out, err = placeMessage(message)
	default:
		err = refuseKind(content)
	}
	if err != nil {
		return nil, err
	}
	if info := context.info(); info != nil {
		setContextInfo(out.Message, info)
	}
	out.Message = withCaption(out.Message)
	return out, nil
}

// textMessage converts a text. It is as short as it can be: a bare text if nothing comes with it.
func textMessage(content *event.MessageEventContent) (*Outgoing, error) {
	text := markedText(content)
	if text == "" {
		return nil, refuse(ErrNoText, event.MessageStatusUnsupported, "There is no text in it.")
	}
	if err := checkLength(text); err != nil {
		return nil, err
	}
	if shown := previewFor(content, text); shown != nil {
		extended := &waE2E.ExtendedTextMessage{Text: proto.String(text)}
		shown.fill(extended)
		return &Outgoing{Message: &waE2E.Message{ExtendedTextMessage: extended}}, nil
	}
	return &Outgoing{Message: &waE2E.Message{Conversation: proto.String(text)}}, nil
}

func checkLength(text string) error {
	if utf8.RuneCountInString(text) > MaxTextLength || len(text) > maxTextSize {
		return refuse(ErrTextTooLong, event.MessageStatusUnsupported, fmt.Sprintf(
			"It is too long: the recipient's app takes %d characters. Please send it in smaller pieces.", MaxTextLength))
	}
	return nil
}

// markedText returns a text with WhatsApp's markers.
func markedText(content *event.MessageEventContent) string {
	style := markup.Plain
	if content.MsgType == event.MsgEmote {
		// "/me waves" is written in italics, since the chat shows who sent it. WhatsApp has nothing like it.
		style = markup.Italic
	}
	if content.Format == event.FormatHTML && content.FormattedBody != "" && len(content.FormattedBody) <= markup.MaxHTML {
		if text := markup.FromHTML(content.FormattedBody, style); text != "" {
			return text
		}
	}
	body := content.Body
	if content.RelatesTo.GetReplyTo() != "" {
		body = event.TrimReplyFallbackText(body)
	}
	return markup.FromText(body, style)
}

// captionOf returns the words that come with a file, with WhatsApp's markers. A sticker's body is what it shows, and no
// caption.
func captionOf(content *event.MessageEventContent) (string, error) {
	if content.GetCapMsgType() == event.CapMsgSticker || content.GetCaption() == "" {
		return "", nil
	}
	caption := markedText(content)
	return caption, checkLength(caption)
}

func placeMessage(message *bridgev2.MatrixMessage) (*Outgoing, error) {
	var raw map[string]any
	if message.Event != nil {
		raw = message.Event.Content.Raw
	}
	location, ok := locationMessage(message.Content, raw)
	if !ok {
		return nil, refuse(ErrInvalidLocation, event.MessageStatusUnsupported, "The location in it cannot be read.")
	}
	return &Outgoing{Message: &waE2E.Message{LocationMessage: location}}, nil
}

// kindsNotSent say what cannot be sent.
var kindsNotSent = map[event.MessageType]string{
	event.MsgBeeperGallery:       "Galleries",
	event.MsgVerificationRequest: "Verification requests",
}

func refuseKind(content *event.MessageEventContent) error {
	kind := kindsNotSent[content.MsgType]
	if kind == "" {
		kind = "Messages of this kind"
	}
	return refuse(ErrUnsupportedKind, event.MessageStatusUnsupported, kind+" cannot be sent to this contact. Please write a text instead.")
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
