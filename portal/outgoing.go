package portal

import (
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/interop"
)

// maxOutgoing is how large a draft may be, in bytes: a message of 64 KiB, as base64, and an attachment.
const maxOutgoing = 256 << 10

// Outgoing is what our user sends: a message, without its file if it has one. [Outgoing.Complete] puts that in. It is kept
// in the outbox meanwhile, see [Outgoing.Marshal].
type Outgoing struct {
	Message *waE2E.Message
	// Attachment is nil if the message is complete.
	Attachment *Attachment
}

// Conversion is what has to be done to a file so that WhatsApp shows it as what it is. Without, it is sent as something
// simpler.
type Conversion string

const (
	ConvertNothing Conversion = ""
	ConvertVoice   Conversion = "voice"   // to Opus in Ogg
	ConvertGIF     Conversion = "gif"     // to MP4 without sound
	ConvertSticker Conversion = "sticker" // to WebP
)

// Attachment is a file on the homeserver that goes with a message. It holds the file's key: nothing of it may be logged but
// Kind, Size and Convert.
type Attachment struct {
	File *event.EncryptedFileInfo `json:"file"`
	// Size is what the user's client claims, in bytes; 0 if it does not.
	Size int64 `json:"size,omitempty"`
	// MimeType is without parameters; "application/octet-stream" if the client claims nothing usable.
	MimeType string `json:"mime_type"`
	// Name is safe to show.
	Name string `json:"name"`
	// Kind is what to encrypt the file as if it is converted, or needs no conversion. See [Attachment.MediaKind].
	Kind interop.MediaKind `json:"kind"`
	// Convert is what to try first.
	Convert Conversion `json:"convert,omitempty"`
	// Thumbnail is a small picture of the file, nil if the client made none.
	Thumbnail *event.EncryptedFileInfo `json:"thumbnail,omitempty"`
	// VCard: the file is a contact card of at most [MaxVCard] bytes, which goes into the message instead of being uploaded.
	VCard bool `json:"vcard,omitempty"`
}

// MediaKind is what the file has to be encrypted as.
func (a *Attachment) MediaKind(converted bool) interop.MediaKind {
	if a.Convert == ConvertGIF && !converted {
		if isGIF(a.MimeType) {
			return interop.MediaImage
		}
		return interop.MediaDocument
	}
	return a.Kind
}

// outgoingForm is how an Outgoing is stored.
type outgoingForm struct {
	Message    []byte      `json:"message"`
	Attachment *Attachment `json:"attachment,omitempty"`
}

// ErrInvalidOutgoing: the bytes are not what [Outgoing.Marshal] makes.
var ErrInvalidOutgoing = errors.New("not a stored message")

// Marshal makes bytes of it. They hold content and keys.
func (o *Outgoing) Marshal() ([]byte, error) {
	message, err := proto.Marshal(o.Message)
	if err != nil {
		return nil, fmt.Errorf("failed to encode a message: %w", err)
	}
	data, err := json.Marshal(&outgoingForm{Message: message, Attachment: o.Attachment})
	if err != nil {
		return nil, fmt.Errorf("failed to encode an attachment: %w", err)
	}
	return data, nil
}

// ParseOutgoing is the inverse of [Outgoing.Marshal]. The error wraps [ErrInvalidOutgoing] and holds no content.
func ParseOutgoing(data []byte) (*Outgoing, error) {
	var form outgoingForm
	message := &waE2E.Message{}
	switch {
	case len(data) > maxOutgoing:
		return nil, fmt.Errorf("%w: %d bytes", ErrInvalidOutgoing, len(data))
	case json.Unmarshal(data, &form) != nil:
		return nil, fmt.Errorf("%w: the form", ErrInvalidOutgoing)
	case proto.Unmarshal(form.Message, message) != nil:
		return nil, fmt.Errorf("%w: the message", ErrInvalidOutgoing)
	case form.Attachment != nil && !form.Attachment.valid():
		return nil, fmt.Errorf("%w: the attachment", ErrInvalidOutgoing)
	}
	return &Outgoing{Message: message, Attachment: form.Attachment}, nil
}

func (a *Attachment) valid() bool {
	switch a.Kind {
	case interop.MediaImage, interop.MediaVideo, interop.MediaAudio, interop.MediaDocument:
	default:
		return false
	}
	switch a.Convert {
	case ConvertNothing, ConvertVoice, ConvertGIF, ConvertSticker:
	default:
		return false
	}
	return a.File != nil && a.Size >= 0
}
