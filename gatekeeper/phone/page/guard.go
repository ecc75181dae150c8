package page

import (
	"net"
	"net/http"
	"time"
)

const (
	// maxForm bounds a form without a file, in bytes.
	maxForm = 64 << 10
	// bodyTimeout bounds how long a browser on the same machine may take to send a form.
	bodyTimeout = time.Minute
	// contentPolicy lets a page load nothing but what this server has, run nothing that stands in the page itself, and be
	// inside no other page.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// guard tells the browser what a page may do.
func guard(next http.Handler) http.Handler {
	return LocalOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		if r.Method == http.MethodPost {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		}
		next.ServeHTTP(w, r)
	}))
}

// LocalOnly is for a listener that only this machine reaches and that asks nobody who they are. What has to be kept out then
// is other sites in the same browser: they cannot change anything, as browsers say where a request is from, and they cannot
// read by pointing a name of theirs at this address.
func LocalOnly(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isThisMachine(r.Host) {
			http.Error(w, "This address is only for this machine, under its own name.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	}))
}

// isThisMachine tells whether the host of a request is a name that only ever means this machine.
func isThisMachine(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}
