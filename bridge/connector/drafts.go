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
	"go.mau.fi/whatsmeow/proto/waE2E"

	"postern/bridge/homeserver"
	"postern/bridge/preview"
	"postern/interop"
	"postern/portal"
	"postern/provider"
)

const (
	// maxKept is how much of a file is kept in memory for a preview, in bytes: a picture, or a video from which ffmpeg takes
	// a frame. Of larger ones only what the sender's app made is used.
	maxKept = preview.MaxSource
	// thumbnailSide is how large the picture is that goes inside the message, in pixels.
	thumbnailSide = 100
	// maxCard bounds a contact card, which goes inside the message, in bytes.
	maxCard = 32 << 10
)

// completeDraft is interop.Options.Complete: it carries the file of a message from the homeserver to where the gatekeeper
// fetches it. The file streams through: it is decrypted and encrypted again block by block, and the message goes out only
// when the hashes were right.
func (c *Client) completeDraft(ctx context.Context, draft interop.Draft) (*waE2E.Message, error) {
	log := c.login.Log.With().Str(fieldMessage, draft.ID).Str(fieldEvent, parseReference(draft.Ref).event.String()).Logger()
	ctx = log.WithContext(ctx)
	outgoing, err := portal.ParseOutgoing(draft.Data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", interop.ErrHopeless, err)
	}
	end, err := c.network.transfers.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	start := time.Now()
	sent, err := c.carry(ctx, outgoing.Attachment)
	for try := 1; errors.Is(err, io.ErrUnexpectedEOF) && try < fetchTries && ctx.Err() == nil; try++ {
		pause(ctx, fetchPause) // the homeserver ended the transfer early
		sent, err = c.carry(ctx, outgoing.Attachment)
	}
	if err != nil {
		level := zerolog.WarnLevel
		if errors.Is(err, provider.ErrMediaFull) {
			level = zerolog.ErrorLevel // all users wait until the administrator does something, or old files are swept
			c.network.storeFull()
		} else if errors.Is(err, provider.ErrQuota) {
			c.network.quotaFull(c.login.UserMXID.String())
		}
		log.WithLevel(level).Err(err).Msg("Failed to carry a file to the gatekeeper")
		return nil, hopelessIfFile(err)
	}
	log.Debug().Dur("duration", time.Since(start)).Int64("size", outgoing.Attachment.Size).Msg("Carried a file")
	message, err := outgoing.Complete(sent, time.Now())
	if err != nil {
		return nil, fmt.Errorf("%w: failed to put the file into its message: %w", interop.ErrHopeless, err)
	}
	return message, nil
}

// hopelessIfFile marks errors that trying again cannot heal.
func hopelessIfFile(err error) error {
	for _, trouble := range []error{
		homeserver.ErrMediaMissing, homeserver.ErrMediaBroken, homeserver.ErrMediaInvalid,
		interop.ErrMediaTooLarge, interop.ErrTooLarge, provider.ErrMediaTooLarge, provider.ErrQuota,
	} {
		if errors.Is(err, trouble) {
			return fmt.Errorf("%w: %w", interop.ErrHopeless, err)
		}
	}
	return err
}

// carry returns what the message tells about its file, which the gatekeeper can fetch from then on.
func (c *Client) carry(ctx context.Context, attachment *portal.Attachment) (*portal.SentFile, error) {
	if attachment.VCard {
		card, err := c.readAttachment(ctx, attachment, maxCard)
		return &portal.SentFile{VCard: card}, err
	}
	if attachment.Convert != "" {
		sent, err := c.carryConverted(ctx, attachment)
		if err == nil || !errors.Is(err, errNotConverted) {
			return sent, err
		}
		zerolog.Ctx(ctx).Debug().Err(err).Str("conversion", string(attachment.Convert)).Msg("A file is sent as it is")
	}
	return c.carryAsItIs(ctx, attachment)
}

// openedFile is a file on the homeserver whose beginning was looked at. The caller must close it.
type openedFile struct {
	*bufio.Reader
	io.Closer
	format preview.Format
}

func (c *Client) open(ctx context.Context, attachment *portal.Attachment) (*openedFile, error) {
	source, err := c.network.Matrix.OpenMedia(ctx, attachment.File)
	if err != nil {
		return nil, fmt.Errorf("failed to open the file on the homeserver: %w", err)
	}
	file := &openedFile{Reader: bufio.NewReaderSize(source, preview.PrefixSize), Closer: source}
	prefix, err := file.Peek(preview.PrefixSize)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = source.Close()
		return nil, fmt.Errorf("failed to read the beginning of the file: %w", err)
	}
	file.format = preview.Sniff(prefix)
	return file, nil
}

// carryAsItIs streams the file. What is needed for a preview is kept on the way, if it is small.
func (c *Client) carryAsItIs(ctx context.Context, attachment *portal.Attachment) (*portal.SentFile, error) {
	file, err := c.open(ctx, attachment)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var reader io.Reader = file
	var kept keeper
	if attachment.Thumbnail == nil && isPicture(attachment) {
		kept.limit = maxKept
		reader = io.TeeReader(file, &kept)
	}
	media, err := c.publish(ctx, attachment.MediaKind(attachment.Convert == portal.ConvertNothing), reader)
	if err != nil {
		return nil, err
	}
	sent := &portal.SentFile{Media: media, MimeType: file.format.MimeType, Width: file.format.Width, Height: file.format.Height}
	sent.Thumbnail = c.thumbnailFor(ctx, attachment, kept.data())
	return sent, nil
}

// publish encrypts the file and puts it where the gatekeeper's media host fetches it.
func (c *Client) publish(ctx context.Context, kind interop.MediaKind, plain io.Reader) (media *interop.Media, err error) {
	reference, err := c.network.Media.PutMedia(ctx, string(c.login.ID), func(w io.Writer) (err error) {
		media, err = interop.EncryptMedia(c.network.Metrics.FileToContact(c.gatekeeper.ID, w), plain, kind, c.network.MaxFile)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("failed to store the encrypted file: %w", err)
	}
	media.DirectPath = interop.MediaPath(c.gatekeeper, reference)
	return media, nil
}

// readAttachment reads a small file that goes inside the message.
func (c *Client) readAttachment(ctx context.Context, attachment *portal.Attachment, limit int64) ([]byte, error) {
	file, err := c.open(ctx, attachment)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("failed to read the file: %w", err)
	} else if int64(len(data)) > limit {
		return nil, interop.ErrMediaTooLarge
	}
	return data, nil
}

// thumbnailFor returns the small picture that goes inside the message: of the one that the sender's app made, or of the file
// itself. nil if there is none; a message does not fail for that.
func (c *Client) thumbnailFor(ctx context.Context, attachment *portal.Attachment, data []byte) []byte {
	picture, err := c.makeThumbnail(ctx, attachment, data)
	if err != nil {
		zerolog.Ctx(ctx).Debug().Err(err).Msg("A file is sent without a thumbnail")
	}
	if picture == nil {
		return nil
	}
	return picture.JPEG
}

func (c *Client) makeThumbnail(ctx context.Context, attachment *portal.Attachment, data []byte) (*preview.Picture, error) {
	switch {
	case attachment.Thumbnail != nil:
		source, err := c.network.Matrix.OpenMedia(ctx, attachment.Thumbnail)
		if err != nil {
			return nil, err
		}
		defer func() { _ = source.Close() }()
		return c.network.Previews.Thumbnail(ctx, source, -1, thumbnailSide)
	case len(data) == 0:
		return nil, nil
	case attachment.Kind == interop.MediaVideo:
		frame, err := c.network.Transcode.Frame(ctx, bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		defer func() { _ = frame.Data.Close() }()
		return c.network.Previews.Thumbnail(ctx, frame.Data, frame.Size, thumbnailSide)
	default:
		return c.network.Previews.Thumbnail(ctx, bytes.NewReader(data), int64(len(data)), thumbnailSide)
	}
}

// isPicture tells whether a small picture can be made of a file.
func isPicture(attachment *portal.Attachment) bool {
	return attachment.Kind == interop.MediaImage || attachment.Kind == interop.MediaVideo
}

// keeper remembers what is written to it, unless it is more than the limit: then nothing.
type keeper struct {
	limit  int
	buffer bytes.Buffer
	over   bool
}

func (k *keeper) Write(data []byte) (int, error) {
	if !k.over && k.buffer.Len()+len(data) > k.limit {
		k.over, k.buffer = true, bytes.Buffer{}
	}
	if !k.over {
		k.buffer.Write(data)
	}
	return len(data), nil
}

func (k *keeper) data() []byte { return k.buffer.Bytes() }
