package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// mediaStall is how long the media host may let us wait for its answer, and for each next part of a file.
const mediaStall = 30 * time.Second

var errMediaStalled = fmt.Errorf("nothing came for %s", mediaStall)

// Download fetches a contact's file from the gatekeeper's media host and decrypts it on the way; what may be relied on
// is told by [DecryptMedia]. The caller closes it. No redirect is followed, and the time that the whole takes is bounded
// by ctx alone.
//
// Errors, of Read too: ErrMediaTooLarge over limit bytes, ErrMediaInvalid, ErrMediaMissing, ErrMediaBroken,
// ErrMediaUnavailable, and that of ctx. None holds the file's address.
func (c *Client) Download(ctx context.Context, media *Media, limit int64) (io.ReadCloser, error) {
	if media.Length > limit {
		return nil, ErrMediaTooLarge
	} else if media.Length < 0 || media.Length > maxMediaLength {
		return nil, fmt.Errorf("%w: impossible length", ErrMediaInvalid)
	}
	location, err := mediaLocation(c.options.Gatekeeper, media)
	if err != nil {
		return nil, err
	}
	transfer := &mediaTransfer{outer: ctx, clock: c.options.Clock}
	transfer.ctx, transfer.cancel = context.WithCancelCause(ctx)
	if err = transfer.open(c.options.HTTPClient, location, EncryptedLength(media.Length)); err != nil {
		_ = transfer.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{DecryptMedia(transfer, media), transfer}, nil
}

// mediaLocation is where the file is: always on the gatekeeper's media host, whatever the message says.
func mediaLocation(gatekeeper *Gatekeeper, media *Media) (*url.URL, error) {
	path, err := parseDirectPath(media.DirectPath)
	if err != nil {
		return nil, err
	} else if gatekeeper.MediaURL == nil {
		return nil, fmt.Errorf("%w: it is not configured", ErrMediaUnavailable)
	}
	location := *gatekeeper.MediaURL
	location.RawPath = strings.TrimSuffix(location.EscapedPath(), "/") + path.EscapedPath()
	location.Path = strings.TrimSuffix(location.Path, "/") + path.Path
	location.RawQuery = path.RawQuery
	return &location, nil
}

// mediaTransfer is one download. It reads the encrypted file and ends it when the media host stalls. Time counts only
// while something is waited for: a caller who is slow does not make the host look so.
type mediaTransfer struct {
	outer  context.Context // the caller's
	ctx    context.Context
	cancel context.CancelCauseFunc
	clock  Clock
	body   io.ReadCloser // nil until open
}

// open asks for the file and looks at the answer. want is the size of the encrypted file.
func (t *mediaTransfer) open(client *http.Client, location *url.URL, want int64) error {
	request, err := http.NewRequestWithContext(t.ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return fmt.Errorf("%w: it has no address to ask", ErrMediaInvalid)
	}
	request.Header.Set("Accept-Encoding", "identity") // or the client would ask for gzip and unpack it
	direct := *client
	direct.Timeout = 0 // would count the whole download
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	defer t.watch().Stop()
	response, err := direct.Do(request)
	if err != nil {
		return t.failure(err)
	}
	t.body = response.Body
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone:
		return fmt.Errorf("%w: HTTP status %d", ErrMediaMissing, response.StatusCode)
	default:
		return fmt.Errorf("%w: HTTP status %d", ErrMediaUnavailable, response.StatusCode)
	}
	if got := response.ContentLength; got >= 0 && got != want { // else it does not tell
		return fmt.Errorf("%w: %d bytes instead of %d", ErrMediaBroken, got, want)
	}
	return nil
}

// Read returns bytes of the encrypted file.
func (t *mediaTransfer) Read(p []byte) (int, error) {
	defer t.watch().Stop()
	n, err := t.body.Read(p)
	if err != nil && !isEnd(err) {
		err = t.failure(err)
	}
	return n, err
}

// Close ends the download.
func (t *mediaTransfer) Close() error {
	t.cancel(nil)
	if t.body == nil {
		return nil
	}
	return t.body.Close()
}

// watch ends the download unless it is stopped in time.
func (t *mediaTransfer) watch() Timer {
	return t.clock.AfterFunc(mediaStall, func() { t.cancel(errMediaStalled) })
}

// failure tells why the media host could not be asked or read from.
func (t *mediaTransfer) failure(err error) error {
	if ended := t.outer.Err(); ended != nil {
		return fmt.Errorf("failed to fetch a file: %w", ended)
	} else if cause := context.Cause(t.ctx); cause != nil {
		err = cause
	}
	var ofURL *url.Error
	if errors.As(err, &ofURL) {
		err = ofURL.Err // without the address
	}
	return fmt.Errorf("%w: %w", ErrMediaUnavailable, err)
}
