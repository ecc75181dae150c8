package whatsapp

import (
	"bytes"
	"context"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// stickerSize is the width and height of WhatsApp's stickers, in pixels.
const stickerSize = 512

// SendSticker sends a WebP picture as a sticker.
func (d *Device) SendSticker(ctx context.Context, to types.JID, webp []byte, animated bool) (types.MessageID, error) {
	file, err := d.upload(ctx, whatsmeow.MediaImage, bytes.NewReader(webp))
	if err != nil {
		return "", err
	}
	return d.Send(ctx, to, &waE2E.Message{StickerMessage: &waE2E.StickerMessage{
		URL: &file.URL, DirectPath: &file.DirectPath, MediaKey: file.MediaKey,
		FileEncSHA256: file.FileEncSHA256, FileSHA256: file.FileSHA256, FileLength: &file.FileLength,
		Mimetype: proto.String("image/webp"), Width: proto.Uint32(stickerSize), Height: proto.Uint32(stickerSize),
		IsAnimated: given(animated),
	}})
}
