package whatsapp

import (
	"context"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
)

// ErrNoFile is returned for a message that has no file.
var ErrNoFile = errors.New("the message has no file")

// Download fetches and decrypts a message's file, and checks all its hashes.
func (d *Device) Download(ctx context.Context, message *waE2E.Message) ([]byte, error) {
	file := FileOf(message)
	if file == nil {
		return nil, ErrNoFile
	}
	content, err := d.Client.Download(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("failed to download as %s: %w", d.JID(), err)
	}
	return content, nil
}

// DownloadTo is Download for files that are large. They are not kept in memory.
func (d *Device) DownloadTo(ctx context.Context, message *waE2E.Message, into whatsmeow.File) error {
	file := FileOf(message)
	if file == nil {
		return ErrNoFile
	}
	if err := d.Client.DownloadToFile(ctx, file, into); err != nil {
		return fmt.Errorf("failed to download as %s: %w", d.JID(), err)
	}
	return nil
}

// FileOf returns the part of a received message that tells of a file, nil if there is none.
func FileOf(message *waE2E.Message) whatsmeow.DownloadableMessage {
	switch {
	case message.GetImageMessage() != nil:
		return message.GetImageMessage()
	case message.GetVideoMessage() != nil:
		return message.GetVideoMessage()
	case message.GetPtvMessage() != nil:
		return message.GetPtvMessage()
	case message.GetAudioMessage() != nil:
		return message.GetAudioMessage()
	case message.GetDocumentMessage() != nil:
		return message.GetDocumentMessage()
	case message.GetStickerMessage() != nil:
		return message.GetStickerMessage()
	default:
		return nil
	}
}
