// Package preview says what a file looks like, and makes small pictures of pictures.
//
// All bytes come from strangers. A type is what the first bytes show, never what a sender claims. A picture is decoded
// only if its header promises to fit into a limit of memory, one at a time, and what comes out is encoded anew: foreign
// bytes are never passed on as a thumbnail.
//
//	maker := preview.New(1)
//	picture, err := maker.Thumbnail(ctx, file, size, 320)
package preview

import "errors"

const (
	// PrefixSize is how many of a file's first bytes [Sniff] can use. More are ignored.
	PrefixSize = 64 << 10

	// MaxSource is the largest file, in bytes, that a thumbnail is made of. Phones make photographs of 3 to 8 MiB, and
	// the whole file is in memory while it is decoded.
	MaxSource = 8 << 20
	// MaxPixels is the largest picture that is decoded. A photograph of a good phone has 12 megapixels.
	MaxPixels = 24_000_000
	// MaxMemory is how many bytes a decoder may need for pixels, by our estimate from the header (see memoryNeeded).
	// A pixel needs from 1 byte (GIF) to 15 (progressive JPEG in full colour), most need 3 or 4.
	MaxMemory = 128 << 20

	// MaxSide is the most that can be asked for as the longer side of a thumbnail, in pixels.
	MaxSide = 640
	// MaxThumbnail is the largest thumbnail, in bytes. WhatsApp's are inside the message, which the gatekeeper limits
	// to 64 KiB.
	MaxThumbnail = 16 << 10

	// maxForeignThumbnail and maxForeignSide bound what claims to be the thumbnail inside a message: real ones have
	// some 100 pixels and 1 to 5 KiB.
	maxForeignThumbnail = 64 << 10
	maxForeignSide      = 1000
)

var (
	// ErrNotPicture: the bytes are not a JPEG, PNG, GIF or WebP, or one of a sort that cannot be drawn (animated WebP).
	ErrNotPicture = errors.New("not a picture that can be drawn")
	// ErrTooLarge: the file, or the picture that its header promises, is over the limits.
	ErrTooLarge = errors.New("the picture is too large to draw")
	// ErrBroken: it begins like a picture, but cannot be decoded.
	ErrBroken = errors.New("the picture is damaged")
)
