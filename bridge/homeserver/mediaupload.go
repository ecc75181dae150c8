package homeserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
)

// errUploadIncomplete: the homeserver gave an address to a file that it does not have.
var errUploadIncomplete = errors.New("the homeserver took a file before it had all of it")

// UploadMedia encrypts a file while it uploads it as the bot, and returns what an event has to tell of it. size is the
// exact length in bytes.
//
// The homeserver gets the last byte only when plain has ended properly. If plain fails, or has another length
// ([ErrMediaLength]), the homeserver has no whole file, and that error is returned, whatever else went wrong. What the
// homeserver answers is a mautrix.HTTPError. A file over the homeserver's limit is an error that is mautrix.MTooLarge,
// and plain is not read then if the limit is known. Nothing is tried again, since plain can be read only once.
//
// plain is not used any more when UploadMedia returns; if it blocks, UploadMedia waits for it, so it has to end with ctx.
func (c *Connector) UploadMedia(ctx context.Context, plain io.Reader, size int64) (*event.EncryptedFileInfo, error) {
	if size < 0 {
		return nil, fmt.Errorf("%w: %d", ErrMediaLength, size)
	}
	if size > c.MaxUpload() && c.uploadLimit.Load() > 0 {
		if c.fetchUploadLimit(ctx); size > c.MaxUpload() && c.uploadLimit.Load() > 0 {
			return nil, fmt.Errorf("failed to upload a file of %d bytes: %w", size, mautrix.MTooLarge)
		}
	}
	guarded, guard := c.guardTransfer(ctx)
	defer guard.end()
	keys := attachment.NewEncryptedFile()
	source := &exactReader{plain: plain, left: size}
	body := &uploadBody{encrypted: keys.EncryptStream(source), guard: guard}
	answer, err := c.upload(guarded, body, size)
	body.stop()
	switch {
	case source.failed():
		return nil, fmt.Errorf("failed to read a file that is uploaded: %w", source.end)
	case err != nil:
		if hasStatus(err, http.StatusRequestEntityTooLarge) {
			c.fetchUploadLimit(ctx)
		}
		return nil, transferError(guarded, "upload", err)
	case source.end == nil:
		return nil, errUploadIncomplete
	}
	if err = body.encrypted.Close(); err != nil { // this sets the hash
		return nil, fmt.Errorf("failed to finish the encryption of a file: %w", err)
	}
	file := &event.EncryptedFileInfo{EncryptedFile: *keys, URL: answer.ContentURI.CUString()}
	if _, _, err = parseMedia(file); err != nil {
		return nil, fmt.Errorf("failed to understand where the homeserver put a file: %w", err)
	}
	return file, nil
}

func (c *Connector) upload(ctx context.Context, body *uploadBody, size int64) (*mautrix.RespMediaUpload, error) {
	answer := &mautrix.RespMediaUpload{}
	request := mautrix.FullRequest{
		Method:            http.MethodPost,
		URL:               c.Bot.BuildURL(mautrix.MediaURLPath{"v3", "upload"}),
		Headers:           http.Header{"Content-Type": {"application/octet-stream"}},
		RequestBody:       body,
		RequestLength:     size,
		ResponseJSON:      answer,
		ResponseSizeLimit: maxUploadAnswer,
		MaxAttempts:       1,
		Client:            c.media,
	}
	if size == 0 { // mautrix takes this for a length that is not known
		if _, err := body.Read(make([]byte, 1)); err != io.EOF {
			return nil, err
		}
		request.RequestBody, request.RequestBytes = nil, []byte{}
	}
	_, err := c.Bot.MakeFullRequest(ctx, request)
	return answer, err
}

// exactReader reads exactly as many bytes as were announced. It hands out the last of them only when it has seen the end.
type exactReader struct {
	plain io.Reader
	left  int64
	end   error // what ended it; io.EOF if all was well
}

func (r *exactReader) failed() bool { return r.end != nil && r.end != io.EOF }

func (r *exactReader) Read(p []byte) (int, error) {
	if r.end != nil {
		return 0, r.end
	}
	var n int
	var err error
	if r.left > 0 {
		n, err = r.plain.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
	}
	if r.left > 0 {
		if err == io.EOF {
			err = fmt.Errorf("%w: %d bytes are missing", ErrMediaLength, r.left)
		}
		r.end = err
		return n, err
	}
	if err == nil {
		var more [1]byte
		if _, err = io.ReadFull(r.plain, more[:]); err == nil {
			err = fmt.Errorf("%w: it goes on", ErrMediaLength)
		}
	}
	if r.end = err; err != io.EOF {
		n = 0
	}
	return n, err
}

// uploadBody is the body of an upload. The transport may go on reading it after the request has ended, until it is stopped.
type uploadBody struct {
	encrypted io.ReadCloser
	guard     *stallGuard

	lock    sync.Mutex
	stopped bool
}

func (b *uploadBody) Read(p []byte) (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.stopped {
		return 0, errUploadIncomplete
	}
	b.guard.pause() // whoever wrote the file is not the homeserver
	defer b.guard.run()
	return b.encrypted.Read(p)
}

func (b *uploadBody) stop() {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.stopped = true
}
