package portal

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emersion/go-vcard"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/portal/markup"
)

// maxSentThumbnail is the largest thumbnail that goes into a message, in bytes; a larger one is left out.
const maxSentThumbnail = 16 << 10

// ErrIncomplete: what is given does not go with the message.
var ErrIncomplete = errors.New("the file does not belong to the message")

// SentFile is what became of an [Attachment].
type SentFile struct {
	// Media is where the file can be fetched; nil for a contact card.
	Media *interop.Media
	// MimeType is that of the file that was uploaded, "" for what the attachment claims.
	MimeType string
	// Width and Height are in pixels; 0 for what the client claimed.
	Width, Height int
	// Seconds is how long it plays; 0 for what the client claimed.
	Seconds int
	// Thumbnail is a small JPEG; nil if there is none.
	Thumbnail []byte
	// VCard is the contact card.
	VCard []byte
	// Converted: the wanted conversion was made.
	Converted bool
}

// Complete puts the file into the message. at is when it was encrypted. Without the wanted conversion a GIF or sticker
// becomes a picture, and a voice message an audio file.
func (o *Outgoing) Complete(sent *SentFile, at time.Time) (*waE2E.Message, error) {
	whole := proto.CloneOf(o.Message)
	if o.Attachment == nil {
		return whole, nil
	}
	message := unwrap(whole) // of a caption
	if o.Attachment.VCard {
		fillContact(message, sent.VCard)
		return whole, nil
	}
	converted := sent.Converted || o.Attachment.Convert == ConvertNothing
	if want := o.Attachment.MediaKind(converted); sent.Media == nil || sent.Media.Kind != want {
		return nil, fmt.Errorf("%w: want a file encrypted as %s", ErrIncomplete, want)
	}
	if !converted {
		simplify(message, o.Attachment)
	}
	if !sent.Media.SetIn(message) {
		return nil, fmt.Errorf("%w: no place for it", ErrIncomplete)
	}
	describe(message, sent, at, o.Attachment.Convert != ConvertNothing && converted)
	return withCaption(whole), nil // what became a document only now
}

// simplify makes of a message what can be sent without the conversion.
func simplify(message *waE2E.Message, attachment *Attachment) {
	mimeType := proto.String(attachment.MimeType)
	info := contextInfo(message)
	switch {
	case message.AudioMessage != nil:
		message.AudioMessage.PTT, message.AudioMessage.Waveform, message.AudioMessage.Mimetype = nil, nil, mimeType
	case message.StickerMessage != nil:
		sticker := message.StickerMessage
		message.StickerMessage = nil
		message.ImageMessage = &waE2E.ImageMessage{Mimetype: mimeType, Width: sticker.Width, Height: sticker.Height, ContextInfo: info}
	case message.VideoMessage != nil && isGIF(attachment.MimeType):
		video := message.VideoMessage
		message.VideoMessage = nil
		message.ImageMessage = &waE2E.ImageMessage{
			Mimetype: mimeType, Caption: video.Caption, Width: video.Width, Height: video.Height, ContextInfo: info,
		}
	case message.VideoMessage != nil:
		message.DocumentMessage = document(attachment, message.VideoMessage.GetCaption())
		message.DocumentMessage.ContextInfo = info
		message.VideoMessage = nil
	}
}

// describe writes what is known of the file besides where it is. The type of a converted file stands in the message
// already.
func describe(message *waE2E.Message, sent *SentFile, at time.Time, converted bool) {
	width, height := optionalNumber(sent.Width), optionalNumber(sent.Height)
	seconds, key := optionalNumber(sent.Seconds), proto.Int64(at.Unix())
	mimeType := func(was *string) *string {
		if sent.MimeType == "" || converted {
			return was
		}
		return proto.String(sent.MimeType)
	}
	thumbnail := sent.Thumbnail
	if len(thumbnail) > maxSentThumbnail {
		thumbnail = nil
	}
	switch {
	case message.ImageMessage != nil:
		image := message.ImageMessage
		image.Mimetype, image.MediaKeyTimestamp, image.JPEGThumbnail = mimeType(image.Mimetype), key, thumbnail
		image.Width, image.Height = or(width, image.Width), or(height, image.Height)
	case message.VideoMessage != nil:
		video := message.VideoMessage
		video.Mimetype, video.MediaKeyTimestamp, video.JPEGThumbnail = mimeType(video.Mimetype), key, thumbnail
		video.Width, video.Height, video.Seconds = or(width, video.Width), or(height, video.Height), or(seconds, video.Seconds)
	case message.AudioMessage != nil:
		audio := message.AudioMessage
		if !audio.GetPTT() { // else it has its codec as well
			audio.Mimetype = mimeType(audio.Mimetype)
		}
		audio.MediaKeyTimestamp, audio.Seconds = key, or(seconds, audio.Seconds)
	case message.StickerMessage != nil:
		sticker := message.StickerMessage
		sticker.MediaKeyTimestamp = key
		sticker.Width, sticker.Height = or(width, sticker.Width), or(height, sticker.Height)
	case message.DocumentMessage != nil:
		document := message.DocumentMessage
		document.MediaKeyTimestamp, document.JPEGThumbnail = key, thumbnail
	}
}

func optionalNumber(number int) *uint32 {
	if number <= 0 {
		return nil
	}
	return proto.Uint32(uint32(min(number, 1<<31-1)))
}

func or(first, second *uint32) *uint32 {
	if first != nil {
		return first
	}
	return second
}

// fillContact puts contact cards into a message: one, or a list if the file has several.
func fillContact(message *waE2E.Message, data []byte) {
	name, info := message.ContactMessage.GetDisplayName(), message.ContactMessage.GetContextInfo()
	cards := splitCards(strings.ToValidUTF8(string(data), "\ufffd"))
	if len(cards) == 1 {
		message.ContactMessage = outgoingCard(cards[0], name)
		message.ContactMessage.ContextInfo = info
		return
	}
	message.ContactMessage = nil
	message.ContactsArrayMessage = &waE2E.ContactsArrayMessage{DisplayName: proto.String(fmt.Sprintf("%d contacts", len(cards))), ContextInfo: info}
	for _, card := range cards {
		message.ContactsArrayMessage.Contacts = append(message.ContactsArrayMessage.Contacts, outgoingCard(card, name))
	}
}

// outgoingCard takes the name from the card, else the other one.
func outgoingCard(card, otherName string) *waE2E.ContactMessage {
	name := ""
	if parsed, err := vcard.NewDecoder(strings.NewReader(card)).Decode(); err == nil {
		name = cutText(oneLine(markup.Clean(parsed.PreferredValue(vcard.FieldFormattedName))), maxCardName)
	}
	if name == "" {
		name = otherName
	}
	return &waE2E.ContactMessage{DisplayName: proto.String(name), Vcard: proto.String(card)}
}

// splitCards divides a file with several contact cards. The result has one at least.
func splitCards(data string) []string {
	const begin = "BEGIN:VCARD"
	cards := strings.SplitN(data, "\n"+begin, maxCards)
	for i := range cards[1:] {
		cards[i+1] = begin + cards[i+1]
	}
	return cards
}
