package page

import (
	"embed"
	"html/template"
	"io/fs"
	"net/http"

	"github.com/rs/zerolog"

	"postern/gatekeeper/phone"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Page serves all phones of a sandbox. Make it with [New].
type Page struct {
	phones    *phone.Phones
	log       zerolog.Logger
	templates *template.Template
	handler   http.Handler
	// downloads holds a token for every file that is being fetched.
	downloads chan struct{}
	// streams holds a token for every page that listens to events.
	streams chan struct{}
}

// New makes the handler of a listener of its own. The phones must outlive it.
func New(phones *phone.Phones, log zerolog.Logger) *Page {
	p := &Page{
		phones: phones, log: log, templates: template.Must(template.New("").Funcs(functions).ParseFS(templateFiles, "templates/*.html")),
		downloads: make(chan struct{}, maxDownloads), streams: make(chan struct{}, maxStreams),
	}
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /{$}", p.start)
	mux.HandleFunc("POST /phones", p.addPhone)
	for pattern, view := range map[string]view{
		"GET /phones/{number}":                    p.viewChats,
		"GET /phones/{number}/third-party":        p.viewFolder,
		"GET /phones/{number}/settings":           p.viewSettings,
		"GET /phones/{number}/chats/{chat}":       p.viewChat,
		"GET /phones/{number}/chats/{chat}/about": p.viewAbout,
	} {
		mux.HandleFunc(pattern, p.shown(view))
	}
	for pattern, action := range map[string]action{
		"POST /phones/{number}/settings":                               p.changeSettings,
		"POST /phones/{number}/chats":                                  p.startChat,
		"POST /phones/{number}/chats/{chat}/accept":                    p.accept,
		"POST /phones/{number}/chats/{chat}/decline":                   p.decline,
		"POST /phones/{number}/chats/{chat}/block":                     p.block,
		"POST /phones/{number}/chats/{chat}/unblock":                   p.unblock,
		"POST /phones/{number}/chats/{chat}/messages":                  p.send,
		"POST /phones/{number}/chats/{chat}/messages/{message}/react":  p.react,
		"POST /phones/{number}/chats/{chat}/messages/{message}/delete": p.remove,
	} {
		mux.HandleFunc(pattern, p.done(action))
	}
	mux.HandleFunc("POST /phones/{number}/chats/{chat}/read", p.quietly(p.read))
	mux.HandleFunc("POST /phones/{number}/chats/{chat}/typing", p.quietly(p.typing))
	mux.HandleFunc("GET /phones/{number}/chats/{chat}/messages/{message}/file", p.file)
	mux.HandleFunc("GET /phones/{number}/events", p.events)
	p.handler = guard(mux)
	return p
}

// ServeHTTP implements [http.Handler].
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }
