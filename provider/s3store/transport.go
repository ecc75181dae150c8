package s3store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxAnswer bounds every answer that is not a file, in bytes. A page of a listing has 1,000 names, some 500 KiB.
	maxAnswer = 4 << 20
	// requestTimeout bounds one request that is not for a file, with its answer. It is enough for a part at 16 KiB a second.
	requestTimeout = 6 * time.Minute
)

var errSlow = errors.New("the bucket takes too long to answer")

type streamingKey struct{}

// streaming marks the context of a request for a file, which is as large and takes as long as it does; the reader watches
// over it.
func streaming(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamingKey{}, true)
}

// boundedTransport limits answers in size and time before the library parses them.
type boundedTransport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t boundedTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Context().Value(streamingKey{}) != nil {
		response, err := t.next.RoundTrip(request)
		if err == nil && response.StatusCode >= http.StatusMultipleChoices { // not the file
			response.Body = http.MaxBytesReader(nil, response.Body, maxAnswer)
		}
		return response, err
	}
	ctx, cancel := context.WithTimeoutCause(request.Context(), requestTimeout, errSlow)
	response, err := t.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &boundedBody{http.MaxBytesReader(nil, response.Body, maxAnswer), cancel}
	return response, nil
}

type boundedBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
