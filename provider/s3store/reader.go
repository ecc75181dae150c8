package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// readStall is how long the bucket may take for the beginning of a file, and then for each piece of it.
const readStall = 30 * time.Second

var (
	errStalled  = errors.New("the bucket does not go on with a file")
	errSeek     = errors.New("no such place in the file")
	errFileShut = errors.New("the file is closed")
)

// reader is a file that is read from the bucket. A Seek costs nothing; the Read after it makes a request, if it is not where
// the one before it ended.
type reader struct {
	ctx          context.Context
	store        *Store
	name         string
	size, offset int64 // offset is that of the next Read
	closed       bool

	// body begins at the offset at; it is nil without a request.
	body io.ReadCloser
	at   int64
	// life is the request's. stop ends it.
	life context.Context
	stop context.CancelCauseFunc
}

// request asks for the file from an offset on and returns the length of what comes.
func (r *reader) request(offset int64) (length int64, err error) {
	var options minio.GetObjectOptions
	if offset > 0 {
		if err = options.SetRange(offset, 0); err != nil {
			return 0, errSeek
		}
	}
	r.life, r.stop = context.WithCancelCause(streaming(r.ctx))
	defer r.watch()()
	body, info, header, err := r.store.client.GetObject(r.life, r.store.bucket, r.name, options)
	if err != nil {
		return 0, missing(r.life, err)
	}
	// A server that ignores the range would have us hand out the wrong bytes.
	ranged := strings.HasPrefix(header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset))
	if info.Size < 0 || info.Size > maxSize || offset > 0 && !ranged {
		r.stop(nil)
		_ = body.Close()
		return 0, errUnclear
	}
	r.body, r.at = body, offset
	return info.Size, nil
}

// watch ends the request if the returned function is not called in time.
func (r *reader) watch() (inTime func()) {
	stop := r.stop
	timer := time.AfterFunc(readStall, func() { stop(errStalled) })
	return func() { timer.Stop() }
}

func (r *reader) Read(into []byte) (n int, err error) {
	if r.closed {
		return 0, errFileShut
	}
	if r.offset >= r.size {
		return 0, io.EOF
	}
	if r.body != nil && r.at != r.offset {
		r.end()
	}
	if r.body == nil {
		if _, err = r.request(r.offset); err != nil {
			return 0, err
		}
	}
	defer r.watch()()
	n, err = r.body.Read(into[:min(int64(len(into)), r.size-r.offset)])
	r.at, r.offset = r.at+int64(n), r.offset+int64(n)
	if errors.Is(err, io.EOF) {
		if r.offset < r.size {
			return n, io.ErrUnexpectedEOF
		}
		return n, io.EOF
	}
	return n, plain(r.life, err)
}

// Seek implements io.Seeker.
func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errSeek
	}
	r.offset = offset
	return offset, nil
}

// Close ends what is still on its way.
func (r *reader) Close() error {
	r.closed = true
	r.end()
	return nil
}

func (r *reader) end() {
	if r.body != nil {
		r.stop(nil) // before the body is closed, which would read it to its end
		_ = r.body.Close()
		r.body = nil
	}
}
