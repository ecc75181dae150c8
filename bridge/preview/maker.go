package preview

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
)

// Picture is a small JPEG that we made, with what is known about the picture that it was made of.
type Picture struct {
	// JPEG has at most [MaxThumbnail] bytes and no metadata.
	JPEG []byte
	// Width and Height are those of JPEG, in pixels.
	Width, Height int
	// SourceWidth and SourceHeight are those of the source as a viewer shows it: EXIF orientation is counted in.
	SourceWidth, SourceHeight int
	// Blurhash is what a client shows until it has the picture (https://blurha.sh).
	Blurhash string
}

// Maker makes thumbnails. It limits how many are made at the same time, because each may need [MaxMemory] for pixels and
// [MaxSource] for the file. Safe for use by many goroutines.
type Maker struct {
	slots chan struct{}
}

// New returns a Maker that decodes at most limit pictures at once.
func New(limit int) *Maker {
	return &Maker{slots: make(chan struct{}, max(limit, 1))}
}

// Thumbnail reads a picture from r and makes one of at most maxSide pixels (see [MaxSide]) on the longer side; a smaller
// picture keeps its size. size is the length of the file in bytes, or -1 if it is not known; r is not read if it is over
// [MaxSource], and never further than one byte behind that. Transparent parts become white. Of an animation the first
// frame is used.
//
// It waits for a free slot and then reads, so r has to end when ctx does; decoding that has begun is not interrupted. The
// errors are [ErrNotPicture], [ErrTooLarge], [ErrBroken], those of r and those of ctx.
func (m *Maker) Thumbnail(ctx context.Context, r io.Reader, size int64, maxSide int) (*Picture, error) {
	if size > MaxSource {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, size)
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.leave()
	data, err := read(r, size)
	if err != nil {
		return nil, err
	}
	if err = ctx.Err(); err != nil {
		return nil, err
	}
	return render(data, math.MaxUint16, min(max(maxSide, 1), MaxSide))
}

// FromThumbnail makes a thumbnail of what claims to be one: the JPEG inside a message. It has to be a JPEG of at most
// 64 KiB and 1000 pixels a side. The errors are those of [Maker.Thumbnail].
func (m *Maker) FromThumbnail(ctx context.Context, data []byte) (*Picture, error) {
	if len(data) > maxForeignThumbnail {
		return nil, fmt.Errorf("%w: a thumbnail of %d bytes", ErrTooLarge, len(data))
	}
	if Sniff(data).MimeType != "image/jpeg" {
		return nil, fmt.Errorf("%w: a thumbnail has to be a JPEG", ErrNotPicture)
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.leave()
	return render(data, maxForeignSide, MaxSide)
}

func (m *Maker) enter(ctx context.Context) error {
	select {
	case m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Maker) leave() { <-m.slots }

// read returns the whole source.
func read(r io.Reader, size int64) ([]byte, error) {
	var buffer bytes.Buffer
	if size > 0 {
		buffer.Grow(int(size) + bytes.MinRead) // so that ReadFrom does not double it
	}
	count, err := buffer.ReadFrom(io.LimitReader(r, MaxSource+1))
	if err != nil {
		return nil, fmt.Errorf("failed to read a picture: %w", err)
	}
	if count > MaxSource {
		return nil, fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxSource)
	}
	return buffer.Bytes(), nil
}

// render does everything that does not wait. The source may have maxSource pixels a side, the result gets maxSide.
func render(data []byte, maxSource, maxSide int) (*Picture, error) {
	source, turn, err := decode(data, maxSource)
	if err != nil {
		return nil, err
	}
	picture := &Picture{SourceWidth: source.Bounds().Dx(), SourceHeight: source.Bounds().Dy()}
	if turn.turned() {
		picture.SourceWidth, picture.SourceHeight = picture.SourceHeight, picture.SourceWidth
	}
	small := turn.apply(flatten(shrink(source, maxSide)))
	if err = picture.encode(small); err != nil {
		return nil, err
	}
	return picture, nil
}

// decode checks what the header promises, and only then decodes.
func decode(data []byte, maxSource int) (source image.Image, turn orientation, err error) {
	format := Sniff(data)
	kind, ok := decoders[format.MimeType]
	if !ok || format.MimeType == "image/webp" && format.Animated {
		return nil, upright, ErrNotPicture
	}
	if format.MimeType == "image/webp" && webpLength(data) > MaxSource {
		// The decoder allocates what the container claims.
		return nil, upright, fmt.Errorf("%w: it claims to have %d bytes", ErrTooLarge, webpLength(data))
	}
	err = guarded(func() error {
		config, err := kind.config(bytes.NewReader(data))
		if err != nil {
			return err
		}
		if err = check(format.MimeType, data, config, maxSource); err != nil {
			return err
		}
		if source, err = kind.decode(bytes.NewReader(data)); err != nil {
			return err
		}
		if format.MimeType == "image/jpeg" {
			turn = orientationOf(data)
		} else {
			turn = upright
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrBroken) {
		err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return source, turn, err
}
