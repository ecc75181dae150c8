package provider

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Handler returns what the partner server answers on its public address. Whatever is not part of the protocol gets one
// and the same answer, so that a stranger learns nothing about users or the software. Only a push with a good token has its body
// read.
func (p *Provider) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		route := p.route(recorder, r)
		if p.observe != nil {
			p.observe(route, recorder.status)
		}
		// Neither the address, the path nor a header of the client: they can identify people.
		p.log.Debug().Str("route", route).Int("status", recorder.status).Dur("duration", time.Since(start)).
			Msg("Request served")
	})
}

// route answers the request and returns the route's name for the log. http.ServeMux is not used because it tells paths
// apart by redirects.
func (p *Provider) route(w http.ResponseWriter, r *http.Request) string {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	p.unknownProxies.look(r)
	if wait := p.limits.wait(r); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		answer(w, http.StatusTooManyRequests)
		return "limited"
	}
	if reference, ok := strings.CutPrefix(r.URL.Path, MediaPath); ok {
		p.serveMedia(w, r, reference)
		return "media"
	}
	switch {
	case r.URL.Path == JWKSPath:
		if allow(w, r, http.MethodGet, http.MethodHead) {
			p.serveKeys(w, r)
		}
		return "jwks"
	case r.URL.Path == PushPath && p.pushes != nil:
		if allow(w, r, http.MethodPost) {
			p.servePush(w, r)
		}
		return "push"
	default:
		answer(w, http.StatusNotFound)
		return "unknown"
	}
}

// allow tells whether the method is one of those, and answers if it is not.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	answer(w, http.StatusMethodNotAllowed)
	return false
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
