package homeserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Files go to and from the homeserver as streams, encrypted on the way: neither the whole of one nor any of it in plain
// is kept. mautrix' own streams are not used, because they go through a file on the disk.

var (
	// ErrMediaInvalid: what the event tells about its file cannot be right; trying again does not help.
	ErrMediaInvalid = errors.New("the event does not describe its file properly")
	// ErrMediaMissing: the homeserver does not have the file, or not any more.
	ErrMediaMissing = errors.New("the homeserver does not have the file")
	// ErrMediaBroken: the bytes are not those that were sent.
	ErrMediaBroken = errors.New("the file is damaged")
	// ErrMediaLength: a file to be uploaded is shorter or longer than was announced.
	ErrMediaLength = errors.New("the file has another length than was announced")

	errStalled    = errors.New("the homeserver makes no progress with a file")
	errRedirected = errors.New("the homeserver redirects to another place for its files, which the bridge does not follow")
)

const (
	// mediaStall is how long the homeserver may take nothing of a file, or give nothing, until the transfer is given
	// up. As a whole a transfer may take as long as it likes.
	mediaStall = time.Minute
	// unknownUploadLimit is taken for the homeserver's limit, in bytes, if it does not tell one.
	unknownUploadLimit = 100 << 20
	// maxUploadAnswer bounds the answer to an upload, in bytes.
	maxUploadAnswer = 64 << 10
)

// newMediaClient makes the client for files: without a limit for the whole transfer, and without redirects, which could
// lead the access token elsewhere.
func newMediaClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirected },
	}
}

// MaxUpload is how large an encrypted file may be for the homeserver, in bytes. An encrypted file is as large as the
// plain one.
func (c *Connector) MaxUpload() int64 {
	if limit := c.uploadLimit.Load(); limit > 0 {
		return limit
	}
	return unknownUploadLimit
}

// fetchUploadLimit asks the homeserver for its limit. Without an answer, what was known stays.
func (c *Connector) fetchUploadLimit(ctx context.Context) {
	media, err := c.Bot.GetMediaConfig(ctx)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to ask for the homeserver's upload limit")
		return
	}
	c.uploadLimit.Store(max(0, media.UploadSize))
}

// stallGuard ends the context of a transfer while the homeserver makes no progress.
type stallGuard struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// guardTransfer begins with the time running. The guard must be ended.
func (c *Connector) guardTransfer(ctx context.Context) (context.Context, *stallGuard) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(c.mediaStall, func() { cancel(errStalled) })
	return ctx, &stallGuard{limit: c.mediaStall, timer: timer, cancel: cancel}
}

// run gives the homeserver the whole time anew.
func (g *stallGuard) run() { g.timer.Reset(g.limit) }

// pause is for times in which the homeserver is not waited for.
func (g *stallGuard) pause() { g.timer.Stop() }

func (g *stallGuard) end() {
	g.timer.Stop()
	g.cancel(nil)
}

// transferError names the guard as the reason where it is, rather than a cancelled context.
func transferError(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		err = cause
	}
	return fmt.Errorf("failed to %s a file: %w", what, err)
}

var (
	mediaServer = regexp.MustCompile(`^[A-Za-z0-9\[][A-Za-z0-9.:\-\]]{0,254}$`)
	mediaID     = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)
)

// parseMedia checks what an event tells about its file. The result is a copy with the keys decoded.
func parseMedia(file *event.EncryptedFileInfo) (id.ContentURI, *attachment.EncryptedFile, error) {
	if file == nil {
		return id.ContentURI{}, nil, fmt.Errorf("%w: it has none", ErrMediaInvalid)
	}
	uri, err := file.URL.Parse()
	if err != nil {
		return id.ContentURI{}, nil, fmt.Errorf("%w: malformed address", ErrMediaInvalid)
	} else if !mediaServer.MatchString(uri.Homeserver) || !mediaID.MatchString(uri.FileID) {
		return id.ContentURI{}, nil, fmt.Errorf("%w: impossible address", ErrMediaInvalid)
	}
	keys := &attachment.EncryptedFile{Key: file.Key, InitVector: file.InitVector, Hashes: file.Hashes, Version: file.Version}
	if strings.ContainsAny(keys.Key.Key+keys.InitVector+keys.Hashes.SHA256, "\r\n") { // base64 skips them
		return id.ContentURI{}, nil, fmt.Errorf("%w: line breaks in a key", ErrMediaInvalid)
	}
	if err = keys.PrepareForDecryption(); err != nil {
		return id.ContentURI{}, nil, fmt.Errorf("%w: %w", ErrMediaInvalid, err)
	}
	return uri, keys, nil
}

// hasStatus tells whether the homeserver answered with the HTTP status.
func hasStatus(err error, status int) bool {
	var answer mautrix.HTTPError
	return errors.As(err, &answer) && answer.IsStatus(status)
}
