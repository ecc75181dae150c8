package homeserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// errNotTheFile: Dendrite answers a request too many with 200 and JSON that says so.
var errNotTheFile = errors.New("the homeserver answered with something else than the file")

// OpenMedia downloads an encrypted file and decrypts it while it is read. The caller has to close it, and to bound how much
// is read: it is as long as the homeserver likes.
//
// Only the end shows whether the file is whole, when Read returns io.EOF; whoever reads it has to throw away what was made
// of it on every other error. That is [ErrMediaBroken] for bytes that are not those that were sent. A transfer that was cut
// is this and io.ErrUnexpectedEOF, as it may be whole the next time; other errors of Read are the network's.
//
// Errors of OpenMedia itself are [ErrMediaInvalid], [ErrMediaMissing], and those of the network and of the homeserver, as
// mautrix.HTTPError. Nothing is tried again.
func (c *Connector) OpenMedia(ctx context.Context, file *event.EncryptedFileInfo) (io.ReadCloser, error) {
	uri, keys, err := parseMedia(file)
	if err != nil {
		return nil, err
	}
	ctx, guard := c.guardTransfer(ctx)
	response, err := c.getMedia(ctx, uri)
	if err != nil {
		defer guard.end()
		return nil, transferError(ctx, "download", err)
	}
	guard.pause()
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return &mediaReader{
		ctx: ctx, guard: guard, body: response.Body, plain: keys.DecryptStream(response.Body), json: kind == "application/json",
	}, nil
}

// getMedia asks with the access token (since Matrix 1.11), and without it if the homeserver does not know that.
func (c *Connector) getMedia(ctx context.Context, uri id.ContentURI) (*http.Response, error) {
	response, err := c.requestMedia(ctx, c.Bot.BuildClientURL("v1", "media", "download", uri.Homeserver, uri.FileID))
	if isUnrecognized(err) {
		response, err = c.requestMedia(ctx, c.Bot.BuildURL(mautrix.MediaURLPath{"v3", "download", uri.Homeserver, uri.FileID}))
	}
	if hasStatus(err, http.StatusNotFound) && !errors.Is(err, mautrix.MUnrecognized) {
		return nil, fmt.Errorf("%w (%w)", ErrMediaMissing, err)
	}
	return response, err
}

func (c *Connector) requestMedia(ctx context.Context, url string) (*http.Response, error) {
	_, response, err := c.Bot.MakeFullRequestWithResp(ctx, mautrix.FullRequest{
		Method:           http.MethodGet,
		URL:              url,
		Headers:          http.Header{"Accept-Encoding": {"identity"}}, // ciphertext cannot be compressed
		DontReadResponse: true,
		MaxAttempts:      1,
		Client:           c.media,
	})
	return response, err
}

// isUnrecognized tells whether the homeserver does not know the path, rather than what was asked for.
func isUnrecognized(err error) bool {
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) || (!answer.IsStatus(http.StatusNotFound) && !answer.IsStatus(http.StatusMethodNotAllowed)) {
		return false
	}
	return answer.RespError == nil || errors.Is(err, mautrix.MUnrecognized)
}

// mediaReader decrypts a download and verifies it at its end. It is for one goroutine.
type mediaReader struct {
	ctx   context.Context // of the request
	guard *stallGuard
	body  io.Closer
	plain io.ReadCloser
	json  bool // that is what the homeserver calls it
	end   error
}

func (r *mediaReader) Read(p []byte) (int, error) {
	if r.end != nil {
		return 0, r.end
	}
	r.guard.run()
	n, err := r.plain.Read(p)
	r.guard.pause()
	switch {
	case err == io.EOF:
		r.end = r.verify()
	case errors.Is(err, io.ErrUnexpectedEOF):
		r.end = fmt.Errorf("%w: %w", ErrMediaBroken, err)
	case err != nil:
		r.end = transferError(r.ctx, "download", err)
	}
	return n, r.end
}

// verify returns io.EOF if everything came that was sent.
func (r *mediaReader) verify() error {
	err := r.plain.Close() // this compares the hash
	switch {
	case !errors.Is(err, attachment.ErrHashMismatch):
		return io.EOF
	case r.json:
		return errNotTheFile
	default:
		return fmt.Errorf("%w: %w", ErrMediaBroken, err)
	}
}

// Close ends the download. It says nothing of whether the file is whole.
func (r *mediaReader) Close() error {
	defer r.guard.end()
	if r.end == nil {
		r.end = errors.New("the file is closed")
	}
	return r.body.Close()
}
