package waclient

import (
	"net/http"
	"net/url"
)

// chatTransport sends the request for WhatsApp's websocket to the sandbox.
type chatTransport struct {
	chat *url.URL
	next http.RoundTripper
}

// RoundTrip keeps everything but the address: whatsmeow has its own in a constant.
func (t chatTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	target := *t.chat
	target.Scheme = plainScheme(target.Scheme)
	changed.URL = &target
	changed.Host = target.Host
	return t.next.RoundTrip(changed)
}

// mediaTransport sends requests for WhatsApp's media hosts to the sandbox.
type mediaTransport struct {
	chat *url.URL
	next http.RoundTripper
}

// RoundTrip keeps path and query: whatsmeow speaks nothing but https with the host that the chat server named.
func (t mediaTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	changed.URL.Scheme, changed.URL.Host, changed.Host = plainScheme(t.chat.Scheme), t.chat.Host, t.chat.Host
	return t.next.RoundTrip(changed)
}

// plainScheme turns a websocket's scheme into that of HTTP, as the websocket library does in the URLs that it dials.
func plainScheme(scheme string) string {
	switch scheme {
	case "ws":
		return "http"
	case "wss":
		return "https"
	default:
		return scheme
	}
}
