package phone

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

const (
	// maxText is how much of a message's text is shown, in bytes. What is cut off is replaced by an ellipsis.
	maxText = 16 << 10
	// maxLabel bounds file names, places and the like, in bytes.
	maxLabel = 200
)

// Kind is what a message is.
type Kind string

// The kinds that are shown. Other is everything else.
const (
	KindText     Kind = "text"
	KindPicture  Kind = "picture"
	KindSticker  Kind = "sticker"
	KindVideo    Kind = "video"
	KindVoice    Kind = "voice"
	KindAudio    Kind = "audio"
	KindDocument Kind = "document"
	KindPlace    Kind = "place"
	KindCard     Kind = "card"
	KindNotice   Kind = "notice" // from the phone itself, of nobody
	KindWaiting  Kind = "waiting"
	KindOther    Kind = "other"
)

// body is what a message says. All text in it is valid UTF-8 and bounded.
type body struct {
	kind Kind
	text string
	// label is a file's name, or what a place or a card is called.
	label string
	// seconds is how long a sound or film is, bytes how large the file, both as the sender says.
	seconds uint32
	bytes   uint64
}

// bodyOf reads a decrypted message. file is nil if it has none.
func bodyOf(message *waE2E.Message) (b body, file whatsmeow.DownloadableMessage) {
	if inner := message.GetDocumentWithCaptionMessage().GetMessage(); inner != nil {
		message = inner // whatsmeow opens the wrapper of what comes, but not of what goes
	}
	switch {
	case message.GetConversation() != "":
		b = body{kind: KindText, text: message.GetConversation()}
	case message.GetExtendedTextMessage() != nil:
		b = body{kind: KindText, text: message.GetExtendedTextMessage().GetText()}
	case message.GetImageMessage() != nil:
		part := message.GetImageMessage()
		b, file = body{kind: KindPicture, text: part.GetCaption(), bytes: part.GetFileLength()}, part
	case message.GetStickerMessage() != nil:
		part := message.GetStickerMessage()
		b, file = body{kind: KindSticker, bytes: part.GetFileLength()}, part
	case message.GetVideoMessage() != nil:
		part := message.GetVideoMessage()
		b, file = body{kind: KindVideo, text: part.GetCaption(), seconds: part.GetSeconds(), bytes: part.GetFileLength()}, part
	case message.GetPtvMessage() != nil:
		part := message.GetPtvMessage()
		b, file = body{kind: KindVideo, seconds: part.GetSeconds(), bytes: part.GetFileLength()}, part
	case message.GetAudioMessage() != nil:
		part := message.GetAudioMessage()
		b, file = body{kind: KindAudio, seconds: part.GetSeconds(), bytes: part.GetFileLength()}, part
		if part.GetPTT() {
			b.kind = KindVoice
		}
	case message.GetDocumentMessage() != nil:
		part := message.GetDocumentMessage()
		b = body{kind: KindDocument, text: part.GetCaption(), label: part.GetFileName(), bytes: part.GetFileLength()}
		file = part
	case message.GetLocationMessage() != nil:
		part := message.GetLocationMessage()
		b = body{kind: KindPlace, label: part.GetName(), text: fmt.Sprintf("%.5f, %.5f", part.GetDegreesLatitude(), part.GetDegreesLongitude())}
	case message.GetContactMessage() != nil:
		b = body{kind: KindCard, label: message.GetContactMessage().GetDisplayName()}
	default:
		b = body{kind: KindOther}
	}
	b.text, b.label = cut(b.text, maxText), TidyName(cut(b.label, maxLabel))
	return b, file
}

// cut bounds a text to so many bytes and an ellipsis, at the end of a character. What is not UTF-8 is replaced.
func cut(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + "…"
}

// line is the body in one line, for the list of chats and for quotes.
func (b body) line() string {
	text := cut(strings.Join(strings.Fields(b.text), " "), maxLabel)
	switch {
	case b.kind == KindText || b.kind == KindNotice:
		return text
	case b.label != "":
		return b.kind.Word() + ": " + b.label
	case text != "":
		return b.kind.Word() + ": " + text
	default:
		return b.kind.Word()
	}
}

// Word is what people call it.
func (k Kind) Word() string {
	switch k {
	case KindPicture:
		return "Picture"
	case KindSticker:
		return "Sticker"
	case KindVideo:
		return "Video"
	case KindVoice:
		return "Voice message"
	case KindAudio:
		return "Audio"
	case KindDocument:
		return "Document"
	case KindPlace:
		return "Location"
	case KindCard:
		return "Contact"
	case KindWaiting:
		return "Waiting for this message"
	case KindOther:
		return "A message that this page does not show"
	default:
		return "Message"
	}
}
