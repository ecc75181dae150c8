package connector

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"

	"postern/bridge/preview"
	"postern/interop"
	"postern/portal"
)

const (
	// fetchTries is how often a file is asked for before a notice takes its place, and fetchPause the time between. The
	// chat waits meanwhile, so it is not tried for long.
	fetchTries = 3
	fetchPause = 2 * time.Second
)

// transfers bounds how many files are carried at the same time, both ways together.
type transfers chan struct{}

// begin waits for a place and returns the function that gives it back.
func (t transfers) begin(ctx context.Context) (end func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxFile is how large a file may be that goes into the room, in bytes: what the admin allows and the homeserver takes.
func (c *Client) maxFile() int64 {
	return min(c.network.MaxFile, c.network.Matrix.MaxUpload())
}

// storeFiles carries a message's files to the homeserver, before anything of the message is shown and without holding
// any lock. Of an error [fileTrouble] tells whether a notice can take the message's place; otherwise it has to be tried
// again. What was uploaded before an error stays on the homeserver, encrypted with a key that nobody has.
func (c *Client) storeFiles(ctx context.Context, files []portal.File) ([]*portal.Stored, error) {
	end, err := c.network.transfers.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	result := make([]*portal.Stored, len(files))
	for i := range files {
		result[i], err = c.storeFile(ctx, &files[i])
		switch {
		case err == nil:
		case files[i].Media == nil && fileTrouble(err):
			zerolog.Ctx(ctx).Warn().Err(err).Msg("Left out a file that came inside a message")
		default:
			return nil, err
		}
	}
	return result, nil
}

// storeFile tries more than once if the gatekeeper's media host does not answer.
func (c *Client) storeFile(ctx context.Context, file *portal.File) (*portal.Stored, error) {
	for try := 1; ; try++ {
		stored, err := c.storeFileOnce(ctx, file)
		if try == fetchTries || !errors.Is(err, interop.ErrMediaUnavailable) || ctx.Err() != nil {
			return stored, err
		}
		zerolog.Ctx(ctx).Debug().Err(err).Int("try", try).Msg("The media host does not answer, trying again")
		pause(ctx, fetchPause)
	}
}

// storeFileOnce streams the file from the media host to the homeserver. Its hashes and its length are checked before
// the last of it is uploaded, so that the homeserver gets no whole file that is damaged.
func (c *Client) storeFileOnce(ctx context.Context, file *portal.File) (*portal.Stored, error) {
	if file.Media == nil && file.Data == nil {
		return c.storeThumbnail(ctx, file.Thumbnail)
	}
	body, size, err := c.openFile(ctx, file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	buffered := bufio.NewReaderSize(body, preview.PrefixSize)
	prefix, err := buffered.Peek(int(min(size, preview.PrefixSize)))
	if err != nil {
		return nil, fmt.Errorf("failed to read the beginning of a file: %w", err)
	}
	format := preview.Sniff(prefix)
	stored := &portal.Stored{Size: size, MimeType: format.MimeType, Width: format.Width, Height: format.Height}
	if stored.File, err = c.network.Matrix.UploadMedia(ctx, buffered, size); err != nil {
		return nil, fmt.Errorf("failed to carry a file to the homeserver: %w", err)
	}
	if stored.Thumbnail, err = c.storeThumbnail(ctx, file.Thumbnail); stored.Thumbnail != nil {
		stored.Blurhash = stored.Thumbnail.Blurhash
	}
	return stored, err
}

func (c *Client) openFile(ctx context.Context, file *portal.File) (io.ReadCloser, int64, error) {
	limit := c.maxFile()
	if file.Media != nil {
		body, err := c.interop.Download(ctx, file.Media, limit)
		return c.network.Metrics.FileToMatrix(c.gatekeeper.ID, body), file.Media.Length, err
	}
	if int64(len(file.Data)) > limit {
		return nil, 0, interop.ErrMediaTooLarge
	}
	return io.NopCloser(bytes.NewReader(file.Data)), int64(len(file.Data)), nil
}

// storeThumbnail carries the small picture that came inside a message to the homeserver: not as it is, but made anew. nil if
// there is none, or if it is no usable picture; a message does not fail for that.
func (c *Client) storeThumbnail(ctx context.Context, data []byte) (*portal.Stored, error) {
	if len(data) == 0 {
		return nil, nil
	}
	picture, err := c.network.Previews.FromThumbnail(ctx, data)
	if err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("Left out a thumbnail that is no usable picture")
		return nil, ctx.Err()
	}
	stored := &portal.Stored{
		Size: int64(len(picture.JPEG)), MimeType: "image/jpeg", Width: picture.Width, Height: picture.Height, Blurhash: picture.Blurhash,
	}
	stored.File, err = c.network.Matrix.UploadMedia(ctx, bytes.NewReader(picture.JPEG), stored.Size)
	switch {
	case err == nil:
		return stored, nil
	case fileTrouble(err):
		zerolog.Ctx(ctx).Warn().Err(err).Msg("The homeserver did not take a thumbnail")
		return nil, nil
	default:
		return nil, fmt.Errorf("failed to carry a thumbnail to the homeserver: %w", err)
	}
}

// fileTrouble tells whether an error is the file's: waiting for the homeserver would not help.
func fileTrouble(err error) bool {
	for _, trouble := range []error{
		interop.ErrMediaInvalid, interop.ErrMediaMissing, interop.ErrMediaBroken, interop.ErrMediaTooLarge, interop.ErrMediaUnavailable,
	} {
		if errors.Is(err, trouble) {
			return true
		}
	}
	kind := failureKind(err)
	return kind == failureRefused || kind == failureTooLarge
}
