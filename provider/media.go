package provider

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
)

// DefaultMediaRetention is how long a file waits to be fetched: as long as the gatekeeper keeps a message for a client
// that is offline [P].
const DefaultMediaRetention = 30 * 24 * time.Hour

var (
	// ErrNoMedia: there is no file under a reference, or not any more.
	ErrNoMedia = errors.New("there is no such file")
	// ErrMediaTooLarge: a file is over [Options.MaxMedia]. Trying again does not help.
	ErrMediaTooLarge = errors.New("the file is too large to be hosted")
	// ErrMediaOff: the partner server has no [MediaStore].
	ErrMediaOff = errors.New("the partner server hosts no files")
)

// MediaReference names one hosted file. It cannot be guessed, and it is all that is needed to fetch the encrypted bytes,
// so it is never logged.
type MediaReference [32]byte

func newMediaReference() (reference MediaReference) {
	rand.Read(reference[:])
	return reference
}

// ParseMediaReference accepts exactly what String returns: 43 letters of unpadded base64url. Errors: [ErrNoMedia].
func ParseMediaReference(text string) (reference MediaReference, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(reference) {
		return MediaReference{}, ErrNoMedia
	}
	// The decoder skips line breaks and does not look at the last two bits.
	if reference = MediaReference(raw); reference.String() != text {
		return MediaReference{}, ErrNoMedia
	}
	return reference, nil
}

func (r MediaReference) String() string { return base64.RawURLEncoding.EncodeToString(r[:]) }

// MediaStore keeps encrypted files until they are swept. Implementations are safe for concurrent use. Their errors do
// not contain references, so that they can be logged. A reference is a fixed number of bytes and not a text, so there is
// none that leads out of the store.
type MediaStore interface {
	// Create begins a file under a reference that was never used. Nobody can open it before it is committed.
	Create(ctx context.Context, reference MediaReference) (MediaWriter, error)
	// Open returns a file from its first byte, or [ErrNoMedia]. It stays readable if it is swept meanwhile. The caller
	// closes it.
	Open(ctx context.Context, reference MediaReference) (io.ReadSeekCloser, error)
	// Sweep removes the files that were committed earlier than before, and says how many it removed even if it fails.
	Sweep(ctx context.Context, before time.Time) (removed int, err error)
}

// MediaWriter is a file that is being made. It is used by one goroutine.
type MediaWriter interface {
	io.Writer
	// Commit makes the file last: after it returned nil the file survives a power cut.
	Commit() error
	// Abort leaves nothing behind. After a Commit that returned nil it does nothing.
	Abort()
}

// PutMedia hosts the encrypted file that write writes and returns its reference. The file is not buffered: write should
// come with pieces of some KiB. If write fails, its error is returned wrapped and nothing is kept. The same holds for a
// ctx that ends and for a kill at any time.
//
// Errors: [ErrMediaOff], [ErrMediaTooLarge], those of ctx, of write and of the store.
func (p *Provider) PutMedia(ctx context.Context, write func(io.Writer) error) (reference string, err error) {
	if p.media == nil {
		return "", ErrMediaOff
	}
	name := newMediaReference()
	file, err := p.media.Create(ctx, name)
	if err != nil {
		return "", fmt.Errorf("failed to begin a hosted file: %w", err)
	}
	defer file.Abort()
	bounded := &boundedWriter{ctx: ctx, into: file, left: p.maxMedia}
	if err = write(bounded); err == nil {
		err = bounded.err // write may have overlooked it
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("failed to write a hosted file: %w", err)
	}
	if err = file.Commit(); err != nil {
		return "", fmt.Errorf("failed to keep a hosted file: %w", err)
	}
	return name.String(), nil
}

// boundedWriter writes until ctx ends or the limit is reached. Its first error stays.
type boundedWriter struct {
	ctx  context.Context
	into io.Writer
	left int64
	err  error
}

func (w *boundedWriter) Write(data []byte) (n int, err error) {
	switch {
	case w.err != nil:
	case w.ctx.Err() != nil:
		w.err = w.ctx.Err()
	case int64(len(data)) > w.left:
		w.err = ErrMediaTooLarge
	default:
		n, w.err = w.into.Write(data)
		w.left -= int64(n)
	}
	return n, w.err
}
