package whatsapp

import (
	"net/http"
	"net/url"
)

// sandboxTransport sends requests for WhatsApp's servers to the sandbox.
type sandboxTransport struct {
	chat *url.URL
	next http.RoundTripper
}

// RoundTrip keeps everything but the address: whatsmeow has its own in a constant.
func (t sandboxTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	changed := request.Clone(request.Context())
	target := *t.chat
	// The websocket library turns ws into http in the URLs that it dials, so the same has to happen here.
	switch target.Scheme {
	case "ws":
		target.Scheme = "http"
	case "wss":
		target.Scheme = "https"
	}
	changed.URL = &target
	changed.Host = target.Host
	return t.next.RoundTrip(changed)
}
