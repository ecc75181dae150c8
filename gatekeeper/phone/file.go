package phone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // their sizes are read
	_ "image/png"
	"strings"

	"github.com/gabriel-vasile/mimetype"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

const (
	// MaxUpload is how large a file may be that is sent, MaxDownload one that is shown, both in bytes. A file is in memory while
	// it is carried.
	MaxUpload   = 16 << 20
	MaxDownload = 64 << 20
)

var (
	// ErrTooLarge is returned for a file of more than MaxUpload or MaxDownload bytes.
	ErrTooLarge = errors.New("this file is too large")
	// ErrNoFile is returned for a message without a file, or one of a contact that was not accepted.
	ErrNoFile = errors.New("there is no file to show")
)

// SendFile sends a file with words. What kind it is sent as depends on its content, not on its name.
func (p *Phone) SendFile(key, name string, content []byte, caption string, answer uint64) error {
	if len(content) > MaxUpload {
		return ErrTooLarge
	} else if len(caption) > MaxText {
		return ErrTooLong
	} else if _, _, known := p.Chat(key); !known {
		return ErrNoChat
	}
	found := mimetype.Detect(content)
	kind := uploadKind(found)
	ctx, cancel := context.WithTimeout(p.client.BackgroundEventCtx, sendTimeout)
	defer cancel()
	file, err := p.client.Upload(ctx, content, kind)
	if err != nil {
		return fmt.Errorf("failed to upload a file: %w", err)
	}
	return p.send(key, answer, func(quoted *waE2E.ContextInfo) *waE2E.Message {
		return fileMessage(&file, kind, found.String(), TidyName(cut(name, maxLabel)), strings.TrimSpace(caption), content, quoted)
	})
}

func uploadKind(found *mimetype.MIME) whatsmeow.MediaType {
	family, _, _ := strings.Cut(found.String(), "/")
	switch {
	case found.Is("image/jpeg") || found.Is("image/png"):
		return whatsmeow.MediaImage
	case found.Is("video/mp4"):
		return whatsmeow.MediaVideo
	case family == "audio":
		return whatsmeow.MediaAudio
	default:
		return whatsmeow.MediaDocument
	}
}

// fileMessage is the message about an uploaded file. Ogg is what voice messages are.
func fileMessage(
	file *whatsmeow.UploadResponse, kind whatsmeow.MediaType, mime, name, caption string, content []byte, quoted *waE2E.ContextInfo,
) *waE2E.Message {
	switch kind {
	case whatsmeow.MediaImage:
		picture := &waE2E.ImageMessage{
			URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey, FileEncSHA256: file.FileEncSHA256,
			FileSHA256: file.FileSHA256, FileLength: &file.FileLength, Mimetype: &mime, Caption: given(caption), ContextInfo: quoted,
		}
		if size, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil {
			picture.Width, picture.Height = proto.Uint32(uint32(size.Width)), proto.Uint32(uint32(size.Height))
		}
		return &waE2E.Message{ImageMessage: picture}
	case whatsmeow.MediaVideo:
		return &waE2E.Message{VideoMessage: &waE2E.VideoMessage{
			URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey, FileEncSHA256: file.FileEncSHA256,
			FileSHA256: file.FileSHA256, FileLength: &file.FileLength, Mimetype: &mime, Caption: given(caption), ContextInfo: quoted,
		}}
	case whatsmeow.MediaAudio:
		voice := strings.HasPrefix(mime, "audio/ogg")
		if voice {
			mime = "audio/ogg; codecs=opus"
		}
		return &waE2E.Message{AudioMessage: &waE2E.AudioMessage{
			URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey, FileEncSHA256: file.FileEncSHA256,
			FileSHA256: file.FileSHA256, FileLength: &file.FileLength, Mimetype: &mime, PTT: &voice, ContextInfo: quoted,
		}}
	default:
		document := &waE2E.DocumentMessage{
			URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey, FileEncSHA256: file.FileEncSHA256,
			FileSHA256: file.FileSHA256, FileLength: &file.FileLength, Mimetype: &mime, FileName: given(name), Title: given(name),
			Caption: given(caption), ContextInfo: quoted,
		}
		if caption == "" {
			return &waE2E.Message{DocumentMessage: document}
		}
		return &waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{DocumentMessage: document}}}
	}
}

// File fetches and decrypts a message's file, and checks its hashes. mime is what its content is, and label what the sender
// calls it. Nothing is fetched of a contact that was not accepted.
func (p *Phone) File(ctx context.Context, key string, number uint64) (content []byte, mime, label string, err error) {
	p.mu.Lock()
	var file whatsmeow.DownloadableMessage
	if c := p.memory.chats[addressOf(key)]; c != nil && c.accepted {
		if msg := c.numbered(number); msg != nil && msg.file != nil {
			if msg.body.bytes > MaxDownload {
				err = ErrTooLarge
			}
			file, label = msg.file, msg.body.label
		}
	}
	p.mu.Unlock()
	if err != nil {
		return nil, "", "", err
	} else if file == nil {
		return nil, "", "", ErrNoFile
	}
	if content, err = p.client.Download(ctx, file); err != nil {
		return nil, "", "", fmt.Errorf("failed to fetch a file: %w", err)
	}
	return content, mimetype.Detect(content).String(), label, nil
}
