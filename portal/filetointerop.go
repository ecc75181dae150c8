package portal

import (
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/interop"
)

// The largest files that are sent as what they are, in bytes; larger ones go as documents, so that nothing is refused.
// The public interop documents name no limits. WhatsApp's help pages have long given 16 MB for pictures, videos and
// recordings and 2 GB for documents, and its apps send larger videos today: 16 MiB is safe, 64 MiB is a guess.
const (
	maxImage = 16 << 20
	maxAudio = 16 << 20
	maxVideo = 64 << 20
	// maxStickerFile is for a sticker before its conversion. WhatsApp's help for makers of stickers allows 500 KB behind it.
	maxStickerFile = 16 << 20
	// MaxVCard is the largest contact card that goes into a message, which has 64 KiB in all.
	MaxVCard = 32 << 10
)

// voiceMimeType is what WhatsApp's clients send recordings as [W].
const voiceMimeType = "audio/ogg; codecs=opus"

// shownTypes are the types that WhatsApp's apps show as what they are: those that its documents for businesses name. All
// others are sent as documents, so that the recipient can open them with something else.
var shownTypes = map[interop.MediaKind][]string{
	interop.MediaImage: {"image/jpeg", "image/png"},
	interop.MediaVideo: {"video/mp4", "video/3gpp"},
	interop.MediaAudio: {"audio/aac", "audio/mp4", "audio/mpeg", "audio/amr", "audio/ogg"},
}

// fileMessage makes the message for a file, without the file.
func fileMessage(content *event.MessageEventContent, caption string) (*Outgoing, error) {
	if content.File == nil || content.File.URL.ParseOrIgnore().IsEmpty() {
		return nil, refuse(ErrNotEncrypted, event.MessageStatusUnsupported,
			"The file is not encrypted, so that the homeserver can read it. Please send it with a client that encrypts files in this room.")
	}
	info := content.Info
	if info == nil {
		info = &event.FileInfo{}
	}
	attachment := &Attachment{
		File: content.File, Size: int64(max(info.Size, 0)), MimeType: plainMimeType(info.MimeType), Thumbnail: info.ThumbnailFile,
	}
	if attachment.MimeType == "" {
		attachment.MimeType = "application/octet-stream"
	}
	attachment.Name = SafeFileName(content.GetFileName(), attachment.MimeType)
	out := &Outgoing{Message: &waE2E.Message{}, Attachment: attachment}
	width, height := optionalNumber(min(info.Width, maxSide)), optionalNumber(min(info.Height, maxSide))
	seconds := optionalNumber(wholeSeconds(info.Duration))
	mimeType := proto.String(attachment.MimeType)
	text := optional(caption)

	switch kind := content.GetCapMsgType(); {
	case kind == event.CapMsgSticker && attachment.Size <= maxStickerFile:
		attachment.Kind = interop.MediaImage
		if attachment.MimeType != webp {
			attachment.Convert = ConvertSticker
		}
		out.Message.StickerMessage = &waE2E.StickerMessage{
			Mimetype: proto.String(webp), Width: width, Height: height, IsAnimated: proto.Bool(info.IsAnimated),
		}
	case isAnimation(content) && attachment.Size <= maxVideo:
		attachment.Kind = interop.MediaVideo
		if attachment.MimeType != "video/mp4" {
			attachment.Convert = ConvertGIF
		}
		out.Message.VideoMessage = &waE2E.VideoMessage{
			Mimetype: proto.String("video/mp4"), Caption: text, Width: width, Height: height, Seconds: seconds,
			GifPlayback: proto.Bool(true),
		}
	case kind == event.MsgImage && attachment.Size <= maxImage && attachment.shownAs(interop.MediaImage):
		out.Message.ImageMessage = &waE2E.ImageMessage{Mimetype: mimeType, Caption: text, Width: width, Height: height}
	case kind == event.MsgVideo && attachment.Size <= maxVideo && attachment.shownAs(interop.MediaVideo):
		out.Message.VideoMessage = &waE2E.VideoMessage{
			Mimetype: mimeType, Caption: text, Width: width, Height: height, Seconds: seconds,
		}
	case kind == event.CapMsgVoice && attachment.Size <= maxAudio && caption == "":
		attachment.Kind = interop.MediaAudio
		if attachment.MimeType != "audio/ogg" {
			attachment.Convert = ConvertVoice
		}
		out.Message.AudioMessage = &waE2E.AudioMessage{
			Mimetype: proto.String(voiceMimeType), Seconds: voiceSeconds(content, seconds), PTT: proto.Bool(true), Waveform: interopWaveform(content.MSC1767Audio),
		}
	case kind == event.MsgAudio && attachment.Size <= maxAudio && caption == "" && attachment.shownAs(interop.MediaAudio):
		out.Message.AudioMessage = &waE2E.AudioMessage{Mimetype: mimeType, Seconds: seconds}
	case kind == event.MsgFile && isVCard(attachment) && (caption == "" || strings.HasPrefix(caption, cardCaption)):
		attachment.Kind, attachment.VCard = interop.MediaDocument, true
		out.Message.ContactMessage = &waE2E.ContactMessage{DisplayName: proto.String(strings.TrimSuffix(attachment.Name, ".vcf"))}
	default:
		attachment.Kind = interop.MediaDocument
		out.Message.DocumentMessage = document(attachment, caption)
	}
	return out, nil
}

const webp = "image/webp"

// shownAs sets the kind if WhatsApp shows this type as that.
func (a *Attachment) shownAs(kind interop.MediaKind) bool {
	for _, mimeType := range shownTypes[kind] {
		if a.MimeType == mimeType {
			a.Kind = kind
			return true
		}
	}
	return false
}

// document describes any file. WhatsApp shows the title, and saves under the file name.
func document(attachment *Attachment, caption string) *waE2E.DocumentMessage {
	return &waE2E.DocumentMessage{
		Mimetype: proto.String(attachment.MimeType), Title: proto.String(attachment.Name), FileName: proto.String(attachment.Name),
		Caption: optional(caption),
	}
}

// withCaption wraps a document with a caption as WhatsApp's clients do; old ones would show it without [W].
func withCaption(message *waE2E.Message) *waE2E.Message {
	if message.GetDocumentMessage().GetCaption() == "" {
		return message
	}
	return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: message}}
}

// isAnimation tells whether a client sent a moving picture without sound.
func isAnimation(content *event.MessageEventContent) bool {
	info := content.Info
	return info != nil && (content.MsgType == event.MsgImage && isGIF(plainMimeType(info.MimeType)) ||
		info.MauGIF && (content.MsgType == event.MsgImage || content.MsgType == event.MsgVideo))
}

func isGIF(mimeType string) bool { return mimeType == "image/gif" }

// isVCard goes by the type, or by the name if the client did not know the type.
func isVCard(a *Attachment) bool {
	known := a.MimeType == vcardMimeType || a.MimeType == "text/x-vcard" || a.MimeType == "text/directory"
	named := strings.HasSuffix(strings.ToLower(a.Name), ".vcf") && a.MimeType == "application/octet-stream"
	return (known || named) && a.Size > 0 && a.Size <= MaxVCard
}

// interopWaveform makes the 64 samples of 0 to 100 that WhatsApp's clients show [W]; nil if there are none.
func interopWaveform(audio *event.MSC1767Audio) []byte {
	const samples = 64
	if audio == nil || len(audio.Waveform) == 0 {
		return nil
	}
	waveform := make([]byte, samples)
	for i := range waveform {
		sample := audio.Waveform[i*len(audio.Waveform)/samples]
		waveform[i] = byte(min(max(sample, 0), topMatrixSample) * topSample / topMatrixSample)
	}
	return waveform
}

// voiceSeconds prefers the duration of MSC3245, which is in milliseconds too.
func voiceSeconds(content *event.MessageEventContent, claimed *uint32) *uint32 {
	if content.MSC1767Audio != nil && content.MSC1767Audio.Duration > 0 {
		return optionalNumber(wholeSeconds(content.MSC1767Audio.Duration))
	}
	return claimed
}

// wholeSeconds rounds milliseconds up.
func wholeSeconds(milliseconds int) int {
	return (min(milliseconds, int(maxDuration.Milliseconds())) + 999) / 1000
}

// optional returns nil for "".
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
