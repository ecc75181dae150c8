package provider

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
)

// Limits of the public listener. A request is a line and a few headers, a push has 4 KiB more, an answer under 4 KiB. Hosted
// files are larger, and have time-outs of their own.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 10 * time.Second
	idleTimeout  = 60 * time.Second
	stopTimeout  = 5 * time.Second
	// maxHeaderBytes is for the request line and all headers. net/http adds 4 KiB of its own.
	maxHeaderBytes = 8 << 10
	// maxConnections are served at a time, more wait. A gatekeeper needs a handful.
	maxConnections = 256
	// maxStreams are requests at the same time on one connection of HTTP/2.
	maxStreams = 32
)

// Serve answers on listener until ctx ends, then lets running requests finish for up to five seconds. It closes the
// listener and returns nil if ctx ended it. Meanwhile it removes hosted files that are too old, reads the signing keys
// again and again, and wakes users. The goroutines that it starts end before it returns.
func (p *Provider) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           p.Handler(),
		ReadHeaderTimeout: readTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         publicProtocols(),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:          log.New(serverLog{p.log}, "", 0),
	}
	besideCtx, stopBeside := context.WithCancel(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { p.sweepMedia(besideCtx) })
	beside.Go(func() { p.keys.run(besideCtx) })
	beside.Go(func() { p.waker.run(besideCtx) })
	defer beside.Wait()
	defer stopBeside()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()
	select {
	case err := <-ended:
		return fmt.Errorf("partner server stopped: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(stopCtx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	<-ended
	if err != nil {
		return fmt.Errorf("failed to stop the partner server: %w", err)
	}
	return nil
}

// publicProtocols are HTTP/1.1 and HTTP/2, both without TLS, which the reverse proxy in front has. A client of HTTP/2 has to know
// that it is spoken here, as a proxy does by its configuration.
func publicProtocols() *http.Protocols {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &protocols
}

// serverLog drops the text of net/http's own messages, which hold addresses, and keeps that there was one.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(text []byte) (int, error) {
	l.log.Debug().Msg("HTTP server met a broken connection or request")
	return len(text), nil
}
