package portal

import (
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/interop"
)

// File is a file that belongs to a message from a contact and has to be on the homeserver before the message can be
// shown. [Files] lists them.
type File struct {
	// Media is where the file has to be fetched from; nil if Data is the file. Without either only the thumbnail is stored:
	// that of a link or of a place.
	Media *interop.Media
	Data  []byte
	// MimeType is what the sender claims, safe to repeat; "" if nothing usable.
	MimeType string
	// Thumbnail is what claims to be a small JPEG of it. Neither checked nor decoded yet.
	Thumbnail []byte
}

// Stored is a file that is on the homeserver, encrypted.
type Stored struct {
	File *event.EncryptedFileInfo
	Size int64
	// MimeType is what the bytes look like, "" if they look like nothing known.
	MimeType string
	// Width and Height are in pixels, 0 if unknown.
	Width, Height int
	// Thumbnail is nil if there is none. It has no thumbnail of its own.
	Thumbnail *Stored
	// Blurhash is that of the thumbnail, which is the file itself if that is one; "" if there is none.
	Blurhash string
}

// Context is what has to be known beside a contact's message to show it.
type Context struct {
	// Files are those of [Files], in that order. An entry is nil if the file could not be stored and can be left out,
	// which only those without Media can.
	Files []*Stored
	// ReplyTo is the message in the room that this one answers. "" if it is not here: then the quote is shown as text.
	ReplyTo networkid.MessageID
}
