package adminpage

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Options are what a page is made of. All must be set.
type Options struct {
	// URL is how admins reach the page.
	URL    string
	Bridge Bridge
	Log    zerolog.Logger
	Now    func() time.Time
}

// Page serves the admin page at / and below. Make it with [New].
type Page struct {
	url       string
	secure    bool
	bridge    Bridge
	log       zerolog.Logger
	now       func() time.Time
	logins    *logins
	templates *template.Template
	handler   http.Handler
}

// New makes the handler.
func New(options Options) *Page {
	p := &Page{
		url: options.URL, secure: strings.HasPrefix(options.URL, "https://"), bridge: options.Bridge, log: options.Log, now: options.Now,
		logins: newLogins(options.Now),
	}
	p.templates = template.Must(template.New("").Funcs(p.functions()).ParseFS(templateFiles, "templates/*.html"))
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /login", p.askLogin)
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("POST /logout", p.changed(p.logout))
	mux.HandleFunc("GET /{$}", p.shown(p.overview))
	mux.HandleFunc("GET /users", p.shown(p.users))
	mux.HandleFunc("POST /users/export", p.changed(p.exportUsers))
	mux.HandleFunc("GET /user", p.shown(p.user))
	mux.HandleFunc("POST /user/suspend", p.changed(p.suspend))
	mux.HandleFunc("POST /user/unsuspend", p.changed(p.unsuspend))
	mux.HandleFunc("POST /user/erase", p.changed(p.erase))
	mux.HandleFunc("GET /errors", p.shown(p.troubles))
	mux.HandleFunc("GET /doctor", p.shown(p.doctor))
	mux.HandleFunc("POST /doctor/examine", p.changed(p.examine))
	mux.HandleFunc("GET /audit", p.shown(p.audit))
	mux.HandleFunc("GET /", p.shown(p.missing))
	p.handler = guard(mux)
	return p
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// NewLink makes an address that logs an admin in, once, within [LinkLife]. Links that the admin got before end. Who has the link is
// this admin to the bridge, so it may go to nobody else.
func (p *Page) NewLink(admin string) string { return LinkTo(p.url, p.logins.newLink(admin)) }

// content is what the templates show.
type content struct {
	// Section is a path of the navigation, "" for none.
	Section, Title string
	// Actor is who is logged in, CSRF what forms must have.
	Actor, CSRF string
	// Problem is what went wrong with what the admin just did, Done what was done.
	Problem, Done string
	Data          any
}

// show writes a page for somebody who is logged in.
func (p *Page) show(w http.ResponseWriter, status int, name string, session grant, c content) {
	c.Actor, c.CSRF = session.actor, session.csrf
	p.write(w, status, name, &c)
}

// fail is for what the bridge could not do or find out.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, session grant, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for it any more
	}
	p.log.Err(err).Str("page", r.Pattern).Str("actor", session.actor).Msg("The admin page failed")
	p.show(w, http.StatusInternalServerError, "problem.html", session, content{Title: "That did not work", Problem: textFailed})
}

// textFailed is for the admin.
const textFailed = "The bridge could not do that. Its log says why, and so does the page “Errors”."

// refuse is for those who are not logged in.
func (p *Page) refuse(w http.ResponseWriter, status int, problem string) {
	p.write(w, status, "login.html", &content{Title: "Log in", Problem: problem, Data: loginContent{}})
}

// write runs a template before anything is sent, so that an error is not half a page.
func (p *Page) write(w http.ResponseWriter, status int, name string, c *content) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, c); err != nil {
		p.log.Err(err).Str("template", name).Msg("The admin page failed")
		http.Error(w, textFailed, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}
