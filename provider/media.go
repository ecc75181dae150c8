package provider

import (
	"context"
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
	// ErrQuota: the files of this owner that wait leave no room, see [Options.MediaPerOwner].
	ErrQuota = errors.New("the owner's hosted files take all their room")
	// ErrMediaFull: all files that wait leave no room, see [Options.MediaInAll]. There is some when old ones are swept.
	ErrMediaFull = errors.New("the hosted files take all their room")
	// ErrMediaOff: the partner server has no [MediaStore].
	ErrMediaOff = errors.New("the partner server hosts no files")
)

// MediaReference names one hosted file. It cannot be guessed, and it is all that is needed to fetch the encrypted bytes,
// so it is never logged.
type MediaReference [32]byte

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
	// Open returns a file from its first byte, or [ErrNoMedia]. If it is removed meanwhile, it can still be read to its end, or
	// breaks off with an error. The caller closes it; until then ctx must not end.
	Open(ctx context.Context, reference MediaReference) (io.ReadSeekCloser, error)
	// Each calls do for every file that is committed, in no order, until ctx ends or do fails, whose error it returns. do
	// may remove the file. Those that are committed meanwhile may or may not come.
	Each(ctx context.Context, do func(MediaFile) error) error
	// Remove removes a file that is committed. It is no error if there is none.
	Remove(ctx context.Context, reference MediaReference) error
}

// MediaCleaner is a [MediaStore] in which unfinished files can outlive the process that began them. Clean removes those that
// cannot be finished any more. It is called now and then.
type MediaCleaner interface {
	Clean(ctx context.Context) error
}

// MediaFile is a file in a store.
type MediaFile struct {
	Reference MediaReference
	Size      int64 // in bytes
	Committed time.Time
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
// owner is any text that tells whose file it is; it is not stored. Errors: [ErrMediaOff], [ErrMediaTooLarge], [ErrQuota],
// [ErrMediaFull], those of ctx, of write and of the store.
func (p *Provider) PutMedia(ctx context.Context, owner string, write func(io.Writer) error) (reference string, err error) {
	if p.media == nil {
		return "", ErrMediaOff
	}
	room, err := p.stock.begin(ctx, owner)
	if err != nil {
		return "", err
	}
	defer room.release()
	file, err := p.media.Create(ctx, room.reference)
	if err != nil {
		return "", fmt.Errorf("failed to begin a hosted file: %w", err)
	}
	defer file.Abort() // before the room is released
	bounded := &boundedWriter{ctx: ctx, into: file, room: room, left: p.maxMedia}
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
	room.keep()
	return room.reference.String(), nil
}

// ForgetMedia deletes all hosted files of an owner, as in PutMedia. Nothing may be put for this owner meanwhile. After an
// error some may be left, and it can be called again.
func (p *Provider) ForgetMedia(ctx context.Context, owner string) error {
	if p.media == nil {
		return nil
	}
	removed, err := p.stock.removeOf(ctx, owner)
	if err != nil {
		return fmt.Errorf("failed to delete an owner's hosted files after %d of them: %w", removed, err)
	}
	return nil
}

// SweepMedia removes the files that are too old, and says how many it removed even if it fails. Serve calls it every hour. The store
// knows their ages, so restarts do not prolong them.
func (p *Provider) SweepMedia(ctx context.Context) (removed int, err error) {
	if p.media == nil {
		return 0, nil
	}
	return p.stock.sweep(ctx, p.now().Add(-p.mediaRetention))
}

// boundedWriter writes until ctx ends, the limit is reached or there is no more room. Its first error stays.
type boundedWriter struct {
	ctx  context.Context
	into io.Writer
	room *mediaReservation
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
		if w.err = w.room.grow(int64(len(data))); w.err == nil {
			n, w.err = w.into.Write(data)
			w.left -= int64(n)
		}
	}
	return n, w.err
}
