package portal

import (
	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/event"
)

// incoming is what a contact's message tells about its file, beside where it is. Nothing of it is checked.
type incoming struct {
	msgType  event.MessageType // "" for a sticker
	kind     string            // in words
	name     string
	mimeType string
	caption  string

	width, height uint32 // pixels
	seconds       uint32
	thumbnail     []byte
	waveform      []byte
	voice, gif    bool
	animated      bool // sticker
}

// incomingFile returns nil if the message has no file, or one that may be viewed once. The message is unwrapped.
func incomingFile(message *waE2E.Message) *incoming {
	switch {
	case message.ImageMessage != nil:
		image := message.ImageMessage
		return &incoming{
			msgType: event.MsgImage, kind: "a picture", mimeType: image.GetMimetype(), caption: image.GetCaption(),
			width: image.GetWidth(), height: image.GetHeight(), thumbnail: image.GetJPEGThumbnail(),
		}
	case message.VideoMessage != nil:
		return incomingVideo(message.VideoMessage, "a video")
	case message.PtvMessage != nil:
		return incomingVideo(message.PtvMessage, "a video message")
	case message.AudioMessage != nil:
		audio := message.AudioMessage
		file := &incoming{
			msgType: event.MsgAudio, kind: "an audio file", mimeType: audio.GetMimetype(), seconds: audio.GetSeconds(),
			waveform: audio.GetWaveform(), voice: audio.GetPTT(),
		}
		if file.voice {
			file.kind = "a voice message"
		}
		return file
	case message.DocumentMessage != nil:
		document := message.DocumentMessage
		name := document.GetFileName()
		if name == "" {
			name = document.GetTitle()
		}
		return &incoming{
			msgType: event.MsgFile, kind: "a file", name: name, mimeType: document.GetMimetype(), caption: document.GetCaption(),
			thumbnail: document.GetJPEGThumbnail(),
		}
	case message.StickerMessage != nil:
		sticker := message.StickerMessage
		return &incoming{
			kind: "a sticker", mimeType: sticker.GetMimetype(), width: sticker.GetWidth(), height: sticker.GetHeight(),
			animated: sticker.GetIsAnimated(),
		}
	default:
		return nil
	}
}

func incomingVideo(video *waE2E.VideoMessage, kind string) *incoming {
	file := &incoming{
		msgType: event.MsgVideo, kind: kind, mimeType: video.GetMimetype(), caption: video.GetCaption(),
		width: video.GetWidth(), height: video.GetHeight(), seconds: video.GetSeconds(), thumbnail: video.GetJPEGThumbnail(),
		gif: video.GetGifPlayback(),
	}
	if file.gif {
		file.kind = "a GIF"
	}
	return file
}

// fileName is safe to show and to save under.
func (f *incoming) fileName() string {
	switch {
	case f.voice:
		return safeFileName(f.name, "voice", f.mimeType)
	case f.msgType == "":
		return safeFileName(f.name, "sticker", f.mimeType)
	default:
		return SafeFileName(f.name, f.mimeType)
	}
}
