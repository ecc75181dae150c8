package adminpage

import (
	"crypto/subtle"
	"net/http"
)

const (
	// maxForm bounds a form, in bytes.
	maxForm = 16 << 10
	// contentPolicy lets the page load nothing but what this server has, run nothing that stands in the page itself, and be inside
	// no other page.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"
)

// guard tells the browser what the page may do, and refuses changes that other sites ask for.
func guard(next http.Handler) http.Handler {
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer") // a link that logs in is an address
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	}))
}

// private is a handler for who is logged in.
type private func(w http.ResponseWriter, r *http.Request, session grant)

// shown lets only those who are logged in see something.
func (p *Page) shown(handler private) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if session, ok := p.sessionOf(r); ok {
			handler(w, r, session)
			return
		}
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	}
}

// changed lets only forms of this session change something.
func (p *Page) changed(handler private) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, ok := p.sessionOf(r)
		if !ok {
			p.refuse(w, http.StatusForbidden, "You are not logged in any more. Nothing was changed.")
			return
		}
		if err := r.ParseForm(); err != nil {
			p.refuse(w, http.StatusBadRequest, "This form cannot be read. Nothing was changed.")
			return
		}
		if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("csrf")), []byte(session.csrf)) != 1 {
			p.refuse(w, http.StatusForbidden, "This form is of another session. Nothing was changed. Go back, load the page again, and repeat it.")
			return
		}
		handler(w, r, session)
	}
}

func (p *Page) sessionOf(r *http.Request) (grant, bool) {
	cookie, err := r.Cookie(p.cookieName())
	if err != nil || !isToken(cookie.Value) {
		return grant{}, false
	}
	return p.logins.session(cookie.Value)
}

// cookieName makes a browser keep the cookie to this very host and to TLS, where there is TLS.
func (p *Page) cookieName() string {
	if p.secure {
		return "__Host-postern-admin"
	}
	return "postern-admin"
}

func (p *Page) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: p.cookieName(), Value: value, Path: "/", MaxAge: maxAge, Secure: p.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
