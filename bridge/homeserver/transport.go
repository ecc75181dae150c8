package homeserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// errStopping: the daemon is stopping, so no request is made any more.
var errStopping = errors.New("the bridge is stopping")

// maxIdleConnections are kept to the homeserver. Go's default of two makes a new connection for most requests when
// several chats are busy.
const maxIdleConnections = 64

// stoppableTransport lets a stop end requests that bridgev2 runs without a context of ours, such as those that wait
// for a homeserver that is away.
type stoppableTransport struct {
	base *http.Transport
	life context.Context
	Stop func()
	// observe is Options.Observe.
	observe func(request *http.Request, answer *http.Response, err error, took time.Duration)
}

func newStoppableTransport() *stoppableTransport {
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConns = maxIdleConnections
	base.MaxIdleConnsPerHost = maxIdleConnections
	base.ResponseHeaderTimeout = 100 * time.Second // over the longest sync and the slowest room creation
	life, cancel := context.WithCancelCause(context.Background())
	return &stoppableTransport{base: base, life: life, Stop: sync.OnceFunc(func() {
		cancel(errStopping)
		base.CloseIdleConnections()
	})}
}

func (t *stoppableTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if t.life.Err() != nil {
		return nil, errStopping
	}
	ctx, cancel := context.WithCancelCause(request.Context())
	release := context.AfterFunc(t.life, func() { cancel(errStopping) })
	end := func() { release(); cancel(nil) }
	start := time.Now()
	response, err := t.base.RoundTrip(request.WithContext(ctx))
	if t.observe != nil {
		t.observe(request, response, err, time.Since(start))
	}
	if err != nil {
		end()
		return nil, err
	}
	response.Body = &endingBody{ReadCloser: response.Body, end: end}
	return response, nil
}

// endingBody frees what a request holds when its answer is read.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
