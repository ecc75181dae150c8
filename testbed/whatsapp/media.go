package whatsapp

import (
	"context"
	"fmt"
	"io"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// MediaOptions say more about a file. What a kind does not have is ignored, and so is what has its zero value.
type MediaOptions struct {
	Caption string
	// FileName is a document's.
	FileName string
	MimeType string
	// Width and Height are in pixels.
	Width, Height uint32
	// Seconds is how long a video or a recording is.
	Seconds uint32
	// PTT makes a voice message of a recording. Waveform is its 64 loudnesses from 0 to 100.
	PTT      bool
	Waveform []byte
	// GIF makes a video play without sound and again and again. Round makes it a video note.
	GIF, Round bool
	// Thumbnail is a small JPEG.
	Thumbnail []byte
	ViewOnce  bool
	// Expiration is the chat's timer in seconds.
	Expiration uint32
}

// SendMedia encrypts and uploads a file and sends the message about it, as WhatsApp's own clients make it. kind is
// whatsmeow.MediaImage, MediaVideo, MediaAudio or MediaDocument. The content is not kept in memory.
func (d *Device) SendMedia(
	ctx context.Context, to types.JID, kind whatsmeow.MediaType, content io.Reader, options MediaOptions,
) (types.MessageID, error) {
	message, err := d.UploadMedia(ctx, kind, content, options)
	if err != nil {
		return "", err
	}
	return d.Send(ctx, to, message)
}

// UploadMedia is SendMedia without the last step. The message can be changed before it is sent.
func (d *Device) UploadMedia(
	ctx context.Context, kind whatsmeow.MediaType, content io.Reader, options MediaOptions,
) (*waE2E.Message, error) {
	file, err := d.upload(ctx, kind, content)
	if err != nil {
		return nil, err
	}
	return mediaMessage(kind, file, options)
}

func (d *Device) upload(ctx context.Context, kind whatsmeow.MediaType, content io.Reader) (*whatsmeow.UploadResponse, error) {
	file, err := d.Client.UploadReader(ctx, content, nil, kind)
	if err != nil {
		return nil, fmt.Errorf("failed to upload as %s: %w", d.JID(), err)
	}
	return &file, nil
}

func mediaMessage(kind whatsmeow.MediaType, file *whatsmeow.UploadResponse, options MediaOptions) (*waE2E.Message, error) {
	switch kind {
	case whatsmeow.MediaImage:
		return onceOnly(&waE2E.Message{ImageMessage: imageMessage(file, options)}, options), nil
	case whatsmeow.MediaVideo:
		if options.Round {
			return &waE2E.Message{PtvMessage: videoMessage(file, options)}, nil
		}
		return onceOnly(&waE2E.Message{VideoMessage: videoMessage(file, options)}, options), nil
	case whatsmeow.MediaAudio:
		return onceOnly(&waE2E.Message{AudioMessage: audioMessage(file, options)}, options), nil
	case whatsmeow.MediaDocument:
		message := &waE2E.Message{DocumentMessage: documentMessage(file, options)}
		if options.Caption != "" {
			message = &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: message}}
		}
		return message, nil
	default:
		return nil, fmt.Errorf("%w: %q", whatsmeow.ErrUnknownMediaType, kind)
	}
}

// onceOnly wraps the message that may be looked at once, in the wrapper of its kind.
func onceOnly(message *waE2E.Message, options MediaOptions) *waE2E.Message {
	wrapped := &waE2E.FutureProofMessage{Message: message}
	switch {
	case !options.ViewOnce:
		return message
	case message.AudioMessage != nil:
		return &waE2E.Message{ViewOnceMessageV2Extension: wrapped}
	default:
		return &waE2E.Message{ViewOnceMessageV2: wrapped}
	}
}

func imageMessage(file *whatsmeow.UploadResponse, options MediaOptions) *waE2E.ImageMessage {
	return &waE2E.ImageMessage{
		URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
		FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		Mimetype: given(options.MimeType), Caption: given(options.Caption), JPEGThumbnail: options.Thumbnail,
		Width: given(options.Width), Height: given(options.Height), ViewOnce: given(options.ViewOnce), ContextInfo: contextInfo(options),
	}
}

func videoMessage(file *whatsmeow.UploadResponse, options MediaOptions) *waE2E.VideoMessage {
	return &waE2E.VideoMessage{
		URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
		FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		Mimetype: given(options.MimeType), Caption: given(options.Caption), JPEGThumbnail: options.Thumbnail,
		Width: given(options.Width), Height: given(options.Height), Seconds: given(options.Seconds), GifPlayback: given(options.GIF),
		ViewOnce: given(options.ViewOnce), ContextInfo: contextInfo(options),
	}
}

func audioMessage(file *whatsmeow.UploadResponse, options MediaOptions) *waE2E.AudioMessage {
	return &waE2E.AudioMessage{
		URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
		FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		Mimetype: given(options.MimeType), Seconds: given(options.Seconds), PTT: given(options.PTT), Waveform: options.Waveform,
		ViewOnce: given(options.ViewOnce), ContextInfo: contextInfo(options),
	}
}

func documentMessage(file *whatsmeow.UploadResponse, options MediaOptions) *waE2E.DocumentMessage {
	return &waE2E.DocumentMessage{
		URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
		FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		Mimetype: given(options.MimeType), FileName: given(options.FileName), Title: given(options.FileName),
		Caption: given(options.Caption), JPEGThumbnail: options.Thumbnail, ContextInfo: contextInfo(options),
	}
}

func contextInfo(options MediaOptions) *waE2E.ContextInfo {
	if options.Expiration == 0 {
		return nil
	}
	return &waE2E.ContextInfo{Expiration: proto.Uint32(options.Expiration)}
}

// given is how optional fields of a protobuf message are set: the zero value is left out.
func given[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
