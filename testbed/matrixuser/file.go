package matrixuser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// FileOptions say what to send. MsgType, FileName and one of Data and Reader must be set.
type FileOptions struct {
	MsgType  event.MessageType
	FileName string
	Caption  string
	MimeType string
	// Data is the file, or else Reader yields it: exactly Size bytes, which are not kept in memory.
	Data   []byte
	Reader io.Reader
	Size   int64
	// Info is what else the event tells of the file, such as its width. Type, size, duration and thumbnail are filled in
	// from the other options.
	Info *event.FileInfo
	// Voice makes a voice message of a recording. Waveform is its loudnesses from 0 to 1024.
	Voice    bool
	Waveform []int
	Duration time.Duration
	// Thumbnail is a small JPEG.
	Thumbnail []byte
}

// SendFile encrypts a file, uploads it and sends the event about it, as Element does in an encrypted room.
func (u *User) SendFile(ctx context.Context, room id.RoomID, options FileOptions) (id.EventID, error) {
	content, err := u.UploadFile(ctx, options)
	if err != nil {
		return "", err
	}
	return u.Send(ctx, room, content)
}

// SendSticker sends a picture as a sticker. Options of other files are ignored.
func (u *User) SendSticker(ctx context.Context, room id.RoomID, options FileOptions) (id.EventID, error) {
	options.MsgType = ""
	content, err := u.UploadFile(ctx, options)
	if err != nil {
		return "", err
	}
	return u.sendAs(ctx, room, event.EventSticker, content)
}

// UploadFile is SendFile without the last step. The content can be changed before it is sent.
func (u *User) UploadFile(ctx context.Context, options FileOptions) (*event.MessageEventContent, error) {
	if options.Reader == nil {
		options.Reader, options.Size = bytes.NewReader(options.Data), int64(len(options.Data))
	}
	info := event.FileInfo{}
	if options.Info != nil {
		info = *options.Info
	}
	info.MimeType, info.Size, info.Duration = options.MimeType, int(options.Size), int(options.Duration.Milliseconds())
	content := &event.MessageEventContent{MsgType: options.MsgType, Body: options.FileName, Info: &info}
	if options.MsgType != "" {
		content.FileName = options.FileName
	}
	if options.Caption != "" {
		content.Body = options.Caption
	}
	if options.Voice {
		content.MSC3245Voice = &event.MSC3245Voice{}
		content.MSC1767Audio = &event.MSC1767Audio{Duration: info.Duration, Waveform: options.Waveform}
	}
	var err error
	if content.File, err = u.uploadEncrypted(ctx, options.Reader, options.Size); err != nil {
		return nil, err
	}
	if len(options.Thumbnail) > 0 {
		info.ThumbnailInfo = &event.FileInfo{MimeType: "image/jpeg", Size: len(options.Thumbnail)}
		info.ThumbnailFile, err = u.uploadEncrypted(ctx, bytes.NewReader(options.Thumbnail), int64(len(options.Thumbnail)))
		if err != nil {
			return nil, err
		}
	}
	return content, nil
}

// uploadEncrypted stores exactly size bytes on the homeserver, under a key of their own.
func (u *User) uploadEncrypted(ctx context.Context, content io.Reader, size int64) (*event.EncryptedFileInfo, error) {
	file := attachment.NewEncryptedFile()
	stream := file.EncryptStream(content)
	uploaded, err := u.Client.UploadMedia(ctx, mautrix.ReqUploadMedia{
		// Nothing but a reader: the HTTP client would close the stream, while we do.
		Content: struct{ io.Reader }{stream}, ContentLength: size, ContentType: "application/octet-stream",
	})
	// The hash is known when the stream is closed.
	if err = errors.Join(err, stream.Close()); err != nil {
		return nil, fmt.Errorf("failed to upload as %s: %w", u.ID(), err)
	}
	return &event.EncryptedFileInfo{EncryptedFile: *file, URL: uploaded.ContentURI.CUString()}, nil
}
