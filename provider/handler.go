package provider

import (
	"net/http"
	"strings"
	"time"
)

// Handler returns what the partner server answers on its public address. Whatever is not part of the protocol gets one
// and the same answer, so that a stranger learns nothing about users or the software. No request body is ever read.
func (p *Provider) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		route := p.route(recorder, r)
		// Neither the address, the path nor a header of the client: they can identify people.
		p.log.Debug().Str("route", route).Int("status", recorder.status).Dur("duration", time.Since(start)).
			Msg("Request served")
	})
}

// route answers the request and returns the route's name for the log. http.ServeMux is not used because it tells paths
// apart by redirects.
func (p *Provider) route(w http.ResponseWriter, r *http.Request) string {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if reference, ok := strings.CutPrefix(r.URL.Path, MediaPath); ok {
		p.serveMedia(w, r, reference)
		return "media"
	}
	if r.URL.Path != JWKSPath {
		answer(w, http.StatusNotFound)
		return "unknown"
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.serveKeys(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD")
		answer(w, http.StatusMethodNotAllowed)
	}
	return "jwks"
}

// answer refuses a request in the same words every time.
func answer(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(status), status)
}

// statusRecorder notes the status for the log.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
