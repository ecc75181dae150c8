package portal

import (
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

const (
	// maxSide is the width and height that a sender may claim, in pixels: what JPEG can have.
	maxSide = 65_535
	// maxDuration is what a sender may claim for a recording.
	maxDuration = 24 * time.Hour
	// maxWaveform is how many samples of a waveform are shown. WhatsApp sends 64.
	maxWaveform = 256
	// topSample is the loudest sample: of WhatsApp's clients [W] and of MSC3245.
	topSample, topMatrixSample = 100, 1024
)

// convertFile shows a file that is stored.
func convertFile(file *incoming, stored *Stored, caption string) *bridgev2.ConvertedMessage {
	msgType := shownAs(file, stored)
	content := &event.MessageEventContent{
		MsgType: msgType, FileName: file.fileName(), Info: fileInfo(file, stored, msgType), File: stored.File, Mentions: &event.Mentions{},
	}
	if msgType == event.MsgAudio && file.voice {
		content.MSC3245Voice = &event.MSC3245Voice{}
		content.MSC1767Audio = &event.MSC1767Audio{Duration: content.Info.Duration, Waveform: matrixWaveform(file.waveform)}
	}
	parts := captioned(content, caption)
	if msgType == "" {
		parts[0].Type = event.EventSticker
	}
	return &bridgev2.ConvertedMessage{Parts: parts}
}

// captioned makes the parts of a message with a file: the caption goes with it (MSC2530), or behind it if it is too long.
func captioned(content *event.MessageEventContent, caption string) []*bridgev2.ConvertedMessagePart {
	part := &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: content, DBMetadata: &MessageMetadata{Media: true}}
	content.Body, content.Format, content.FormattedBody = content.FileName, "", ""
	caption = strings.TrimSpace(markup.Clean(caption))
	if caption == "" {
		return []*bridgev2.ConvertedMessagePart{part}
	}
	content.Body = caption
	if formatted, ok := markup.ToHTML(caption); ok {
		content.Format, content.FormattedBody = event.FormatHTML, formatted
	}
	if !fits(content) {
		content.Format, content.FormattedBody = "", ""
	}
	if fits(content) {
		return []*bridgev2.ConvertedMessagePart{part}
	}
	content.Body = content.FileName
	return renumbered(part, textParts(event.MsgText, caption))
}

// renumbered puts parts behind a first one.
func renumbered(first *bridgev2.ConvertedMessagePart, more []*bridgev2.ConvertedMessagePart) []*bridgev2.ConvertedMessagePart {
	parts := append([]*bridgev2.ConvertedMessagePart{first}, more...)
	for i, part := range parts {
		part.ID = partID(i)
	}
	return parts
}

// shownAs returns how a file is shown: as what the sender says, unless the bytes look like something that a client would
// not show so, or had better not. "" is a sticker.
func shownAs(file *incoming, stored *Stored) event.MessageType {
	mimeType := shownMimeType(file, stored)
	general, _, _ := strings.Cut(mimeType, "/")
	ok := true
	switch file.msgType {
	case event.MsgImage, "":
		ok = general == "image" && mimeType != "image/svg+xml" // a program, not a picture
	case event.MsgVideo, event.MsgAudio:
		ok = playable(mimeType)
	}
	if !ok {
		return event.MsgFile
	}
	return file.msgType
}

// shownMimeType prefers what the bytes look like, but where they look like the container only, such as the zip archive that
// a text document is, or an MP4 of sound alone.
func shownMimeType(file *incoming, stored *Stored) string {
	claim, sniffed := plainMimeType(file.mimeType), plainMimeType(stored.MimeType)
	if sniffed == "application/octet-stream" {
		sniffed = ""
	}
	general, _, _ := strings.Cut(claim, "/")
	recording := playable(sniffed) && (file.msgType == event.MsgVideo && general == "video" || file.msgType == event.MsgAudio && general == "audio")
	switch {
	case claim != "" && (file.msgType == event.MsgFile || sniffed == "" || recording):
		return claim
	case sniffed != "":
		return sniffed
	default:
		return "application/octet-stream"
	}
}

// playable tells whether files of a type can be videos or recordings.
func playable(mimeType string) bool {
	return strings.HasPrefix(mimeType, "video/") || strings.HasPrefix(mimeType, "audio/") || mimeType == "application/ogg"
}

// fileInfo describes a file to clients.
func fileInfo(file *incoming, stored *Stored, msgType event.MessageType) *event.FileInfo {
	info := &event.FileInfo{
		MimeType: shownMimeType(file, stored),
		Size:     int(stored.Size),
		Width:    stored.Width, Height: stored.Height,
		Duration:     int(min(time.Duration(file.seconds)*time.Second, maxDuration).Milliseconds()),
		AnoaBlurhash: stored.Blurhash,
		Blurhash:     stored.Blurhash,
		IsAnimated:   file.animated,
	}
	if (info.Width <= 0 || info.Height <= 0) && side(file.width) && side(file.height) {
		info.Width, info.Height = int(file.width), int(file.height)
	}
	setThumbnail(info, stored.Thumbnail)
	if file.gif && msgType == event.MsgVideo {
		info.MauGIF = true
		info.Extra = map[string]any{
			"fi.mau.loop": true, "fi.mau.autoplay": true, "fi.mau.hide_controls": true, "fi.mau.no_audio": true,
		}
	}
	return info
}

func side(pixels uint32) bool { return pixels > 0 && pixels <= maxSide }

// setThumbnail shows a stored thumbnail; nil is none.
func setThumbnail(info *event.FileInfo, thumbnail *Stored) {
	if thumbnail == nil || thumbnail.File == nil {
		return
	}
	info.ThumbnailFile = thumbnail.File
	info.ThumbnailInfo = &event.FileInfo{
		MimeType: thumbnail.MimeType, Size: int(thumbnail.Size), Width: thumbnail.Width, Height: thumbnail.Height,
	}
}

// matrixWaveform scales a waveform; it never returns nil, which would be null in JSON.
func matrixWaveform(samples []byte) []int {
	samples = samples[:min(len(samples), maxWaveform)]
	scaled := make([]int, len(samples))
	for i, sample := range samples {
		scaled[i] = min(int(sample), topSample) * topMatrixSample / topSample
	}
	return scaled
}
