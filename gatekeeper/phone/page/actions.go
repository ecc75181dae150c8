package page

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"postern/gatekeeper/phone"
)

// action does what a form asks for and returns where to go then, below the phone's path. If it fails, the view shows why.
type action func(p *phone.Phone, r *http.Request) (next string, view view, err error)

// done serves an action.
func (p *Page) done(action action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		opened := p.phones.Get("+" + r.PathValue("number"))
		if opened == nil {
			http.NotFound(w, r)
			return
		}
		limit := int64(maxForm)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
			limit += phone.MaxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if err := readForm(r, limit); err != nil {
			http.Error(w, sentence(err), http.StatusRequestEntityTooLarge)
			return
		}
		next, view, err := action(opened, r)
		if err != nil {
			p.log.Warn().Err(err).Str("page", r.Pattern).Msg("Phone page could not do it")
			p.render(w, r, view, err)
			return
		}
		http.Redirect(w, r, "/phones/"+r.PathValue("number")+next, http.StatusSeeOther)
	}
}

// readForm keeps all of a form in memory, so that nothing that was picked is left on the disk.
func readForm(r *http.Request, limit int64) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(limit)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, http.ErrNotMultipart):
		return nil
	case errors.As(err, &tooLarge):
		return phone.ErrTooLarge
	case err != nil:
		return fmt.Errorf("this form cannot be read: %w", err)
	}
	return nil
}

// quietly serves an action of the script that shows nothing.
func (p *Page) quietly(action func(p *phone.Phone, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		opened := p.phones.Get("+" + r.PathValue("number"))
		if opened == nil {
			http.NotFound(w, r)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := action(opened, r); err != nil {
			p.log.Warn().Err(err).Str("page", r.Pattern).Msg("Phone page could not do it")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (p *Page) read(phone *phone.Phone, r *http.Request) error {
	return phone.MarkRead(r.Context(), r.PathValue("chat"))
}

func (p *Page) typing(phone *phone.Phone, r *http.Request) error {
	return phone.Type(r.Context(), r.PathValue("chat"), r.FormValue("on") == "1")
}

func chatPath(r *http.Request) string { return "/chats/" + r.PathValue("chat") }

func (p *Page) accept(phone *phone.Phone, r *http.Request) (string, view, error) {
	return chatPath(r), p.viewChat, phone.Accept(r.PathValue("chat"))
}

func (p *Page) decline(phone *phone.Phone, r *http.Request) (string, view, error) {
	settings, err := phone.Settings(r.Context())
	next := "/third-party"
	if err == nil && settings.OneInbox {
		next = ""
	}
	return next, p.viewChats, phone.Decline(r.PathValue("chat"))
}

func (p *Page) block(phone *phone.Phone, r *http.Request) (string, view, error) {
	return chatPath(r), p.viewChat, phone.Block(r.PathValue("chat"), true)
}

func (p *Page) unblock(phone *phone.Phone, r *http.Request) (string, view, error) {
	return chatPath(r), p.viewChat, phone.Block(r.PathValue("chat"), false)
}

// startChat begins a chat with a phone number or with a partner's user.
func (p *Page) startChat(phone *phone.Phone, r *http.Request) (string, view, error) {
	chat, err := phone.Start(r.Context(), strings.TrimSpace(r.FormValue("who")))
	return "/chats/" + chat, p.viewChats, err
}

// send sends a text, or a file with the text as its words.
func (p *Page) send(phone *phone.Phone, r *http.Request) (string, view, error) {
	answer, _ := strconv.ParseUint(r.FormValue("answer"), 10, 64)
	chat, text := r.PathValue("chat"), strings.ReplaceAll(r.FormValue("text"), "\r\n", "\n")
	file, header, err := r.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) || errors.Is(err, http.ErrNotMultipart) || err == nil && header.Filename == "" {
		return chatPath(r), p.viewChat, phone.SendText(chat, text, answer)
	} else if err != nil {
		return "", p.viewChat, err
	}
	defer file.Close()
	content, err := io.ReadAll(file) // bounded as the whole form is
	if err != nil {
		return "", p.viewChat, err
	}
	return chatPath(r), p.viewChat, phone.SendFile(chat, header.Filename, content, text, answer)
}

func (p *Page) react(phone *phone.Phone, r *http.Request) (string, view, error) {
	return chatPath(r), p.viewChat, phone.React(r.PathValue("chat"), messageNumber(r), r.FormValue("emoji"))
}

func (p *Page) remove(phone *phone.Phone, r *http.Request) (string, view, error) {
	return chatPath(r), p.viewChat, phone.Delete(r.PathValue("chat"), messageNumber(r))
}

func messageNumber(r *http.Request) uint64 {
	number, _ := strconv.ParseUint(r.PathValue("message"), 10, 64) // 0 is no message's
	return number
}

// changeSettings takes all settings at once. Partners that are not ticked are refused.
func (p *Page) changeSettings(phone *phone.Phone, r *http.Request) (string, view, error) {
	settings, err := phone.Settings(r.Context())
	if err != nil {
		return "", p.viewSettings, err
	}
	settings.ThirdParty, settings.OneInbox = r.FormValue("third-party") == "on", r.FormValue("inbox") == "one"
	for i := range settings.Partners {
		settings.Partners[i].Allowed = r.FormValue(fmt.Sprint("partner-", settings.Partners[i].Integrator)) == "on"
	}
	return "/settings?saved", p.viewSettings, phone.SetSettings(r.Context(), settings)
}

// sentence makes of an error what people read: errors begin with a small letter and have no full stop.
func sentence(err error) string {
	text := []rune(err.Error())
	if len(text) == 0 {
		return "Something went wrong."
	}
	text[0] = unicode.ToUpper(text[0])
	return strings.TrimSuffix(string(text), ".") + "."
}
