package preview

import (
	"bytes"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"mime"

	"github.com/gabriel-vasile/mimetype"
	"golang.org/x/image/webp"
)

// Format is what a file's first bytes show.
type Format struct {
	// MimeType has no parameters. "" if the bytes look like nothing known.
	MimeType string
	// Width and Height are in pixels, as a viewer shows the picture: a JPEG's EXIF orientation is counted in. They are 0
	// for what is not a JPEG, PNG, GIF or WebP, and if the header is not within the prefix. They are a claim: nothing
	// was decoded.
	Width, Height int
	// Animated is true for a GIF, PNG or WebP that has more than one frame.
	Animated bool
	// Opus is true for an Ogg file whose first stream is Opus: what a voice message has to be.
	Opus bool
}

// decoder reads one kind of picture. We choose it by the type and do not use image.Decode, which would try every format
// that any package of the program registered.
type decoder struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var decoders = map[string]decoder{
	"image/jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"image/png":  {png.DecodeConfig, png.Decode},
	"image/gif":  {gif.DecodeConfig, gif.Decode}, // Decode stops after the first frame
	"image/webp": {webp.DecodeConfig, webp.Decode},
}

// synonyms are types that go by a more common name.
var synonyms = map[string]string{
	"image/apng":  "image/png", // whoever does not know it shows the first frame
	"audio/x-m4a": "audio/mp4",
}

// opusHead begins the first packet of an Opus stream, behind the header of an Ogg page with one segment (RFC 7845).
const (
	opusHead       = "OpusHead"
	opusHeadOffset = 28
)

// Sniff tells what a file is from its first bytes. It never fails: what it does not know stays empty. A file shorter than
// [PrefixSize] has to be given whole.
func Sniff(prefix []byte) (format Format) {
	prefix = prefix[:min(len(prefix), PrefixSize)]
	if len(prefix) == 0 {
		return Format{}
	}
	// A panic in a library leaves the fields that were found before.
	_ = guarded(func() error {
		format.MimeType = typeOf(prefix)
		format.Opus = format.MimeType == "audio/ogg" && len(prefix) > opusHeadOffset &&
			bytes.HasPrefix(prefix[opusHeadOffset:], []byte(opusHead))
		format.Animated = animated(format.MimeType, prefix)
		return format.measure(prefix)
	})
	return format
}

func typeOf(prefix []byte) string {
	found, _, err := mime.ParseMediaType(mimetype.Detect(prefix).String())
	if err != nil || found == "application/octet-stream" {
		return ""
	}
	if common, ok := synonyms[found]; ok {
		return common
	}
	return found
}

func (f *Format) measure(prefix []byte) error {
	kind, ok := decoders[f.MimeType]
	if !ok {
		return nil
	}
	config, err := kind.config(bytes.NewReader(prefix))
	if err != nil {
		return err
	}
	f.Width, f.Height = max(config.Width, 0), max(config.Height, 0)
	if f.MimeType == "image/jpeg" && orientationOf(prefix).turned() {
		f.Width, f.Height = f.Height, f.Width
	}
	return nil
}

// guarded calls a decoder; should it panic, that is an error like any other. The decoders are fuzzed by their authors
// and by us, but a picture must never be able to end the daemon.
func guarded(call func() error) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("a decoder panicked: %T", problem) // its text may hold bytes of the file
		}
	}()
	return call()
}
