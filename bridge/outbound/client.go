// Package outbound are the HTTP clients for what gatekeepers ask us to connect to: their own servers, and the pictures of contacts, which may be
// anywhere outside of our network.
package outbound

import (
	"net"
	"net/http"
	"time"
)

const (
	// interopBuffers are the buffers of one connection to a gatekeeper, in bytes. A user has one connection all day and
	// messages are small, so Go's default of 4 KiB each way is not raised.
	interopBuffers = 4 << 10
	// handshakeTimeout bounds TCP and TLS each.
	handshakeTimeout = 20 * time.Second
	// answerTimeout bounds the wait for a plain answer, such as that to an enlistment.
	answerTimeout = 30 * time.Second
)

// NewClient makes the one client that all enlisted users share. HTTP/2 is off: a websocket cannot use it.
// Redirects are not followed.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: handshakeTimeout, KeepAlive: -1} // the chat channel has its own keepalive
	return &http.Client{CheckRedirect: noRedirects, Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   handshakeTimeout,
		ResponseHeaderTimeout: answerTimeout,
		ReadBufferSize:        interopBuffers,
		WriteBufferSize:       interopBuffers,
		DisableCompression:    true,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       time.Minute,
		Protocols:             http1Only(),
	}}
}

func http1Only() *http.Protocols {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &protocols
}
