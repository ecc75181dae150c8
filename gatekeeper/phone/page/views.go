package page

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"

	"postern/gatekeeper/phone"
)

// content is what the templates show of a phone.
type content struct {
	// Section is chats, folder, settings, chat or about.
	Section string
	Title   string
	Phone   *phone.Phone
	// Base is the path of the phone, Here that of the page.
	Base, Here string
	// Problem is what went wrong with what the user just did.
	Problem  string
	Settings phone.Settings
	// Saved is true right after the settings were changed.
	Saved bool
	// Listed are the chats at the side, Requests those of them that wait for an answer. Folder tells whether they are those of
	// the folder of third-party chats; else FolderUnread messages wait in it.
	Listed, Requests []phone.Chat
	Folder           bool
	FolderUnread     int
	FolderCount      int
	Blocked          []phone.Chat
	// Asking are those who would write if third-party chats were on.
	Asking []phone.Contact

	Chat     phone.Chat
	Messages []phone.Message
	// Answer is the message that is being answered.
	Answer *phone.Message
	Code   []string
}

// view fills in what a page shows.
type view func(r *http.Request, c *content) error

// shown serves a view.
func (p *Page) shown(view view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { p.render(w, r, view, nil) }
}

// render writes a page. problem is what went wrong with what the user did, nil if nothing.
func (p *Page) render(w http.ResponseWriter, r *http.Request, view view, problem error) {
	opened := p.phones.Get("+" + r.PathValue("number"))
	if opened == nil {
		p.write(w, http.StatusNotFound, "start.html", &startContent{Phones: p.phones.All(), Problem: "There is no such phone here."})
		return
	}
	c := &content{Phone: opened, Base: "/phones/" + r.PathValue("number"), Here: r.URL.Path}
	status := http.StatusOK
	if problem != nil {
		status, c.Problem = http.StatusUnprocessableEntity, sentence(problem)
	}
	err := p.fill(r, c)
	if err == nil {
		err = view(r, c)
	}
	switch {
	case errors.Is(err, phone.ErrNoChat):
		status, c.Section, c.Title, c.Problem = http.StatusNotFound, "chats", "Chats", sentence(err)
	case r.Context().Err() != nil:
		return // nobody waits for it any more
	case err != nil:
		p.log.Err(err).Str("page", r.Pattern).Msg("Phone page failed")
		http.Error(w, "Something went wrong. The sandbox's log says what.", http.StatusInternalServerError)
		return
	}
	c.list()
	p.write(w, status, "phone.html", c)
}

// fill loads what every page of a phone shows.
func (p *Page) fill(r *http.Request, c *content) (err error) {
	if c.Settings, err = c.Phone.Settings(r.Context()); err != nil {
		return err
	}
	c.Listed = c.Phone.Chats()
	c.Asking, err = c.Phone.Asking(r.Context())
	return err
}

// list sorts the chats into the list at the side.
func (c *content) list() {
	all := c.Listed
	c.Listed = nil
	c.Folder = !c.Settings.OneInbox && (c.Section == "folder" || c.Chat.Partner != "")
	for _, chat := range all {
		third := chat.Partner != "" && !c.Settings.OneInbox
		if third {
			c.FolderCount++
			if !chat.Blocked {
				c.FolderUnread += chat.Unread
			}
		}
		if chat.Blocked {
			c.Blocked = append(c.Blocked, chat)
		}
		switch {
		case third != c.Folder:
		case chat.Request && !chat.Blocked:
			c.Requests = append(c.Requests, chat)
		default:
			c.Listed = append(c.Listed, chat)
		}
	}
}

func (p *Page) viewChats(_ *http.Request, c *content) error {
	c.Section, c.Title = "chats", "Chats"
	return nil
}

func (p *Page) viewFolder(_ *http.Request, c *content) error {
	c.Section, c.Title = "folder", "Third-party chats"
	return nil
}

func (p *Page) viewSettings(r *http.Request, c *content) error {
	c.Section, c.Title, c.Saved = "settings", "Settings", r.URL.Query().Has("saved")
	return nil
}

func (p *Page) viewChat(r *http.Request, c *content) error {
	var ok bool
	if c.Chat, c.Messages, ok = c.Phone.Chat(r.PathValue("chat")); !ok {
		return phone.ErrNoChat
	}
	c.Section, c.Title = "chat", c.Chat.Name
	answer, _ := strconv.ParseUint(r.URL.Query().Get("answer"), 10, 64)
	for i := range c.Messages {
		if c.Messages[i].Number == answer && !c.Messages[i].Deleted {
			c.Answer = &c.Messages[i]
		}
	}
	return nil
}

func (p *Page) viewAbout(r *http.Request, c *content) error {
	if err := p.viewChat(r, c); err != nil {
		return err
	}
	c.Section, c.Title = "about", c.Chat.Name
	code, err := c.Phone.SecurityCode(r.Context(), c.Chat.Key)
	if errors.Is(err, phone.ErrNoCode) {
		return nil
	}
	for ; len(code) >= 5; code = code[5:] {
		c.Code = append(c.Code, code[:5])
	}
	return err
}

// write runs a template before anything is sent, so that an error is not half a page.
func (p *Page) write(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := p.templates.ExecuteTemplate(&page, name, data); err != nil {
		p.log.Err(err).Str("template", name).Msg("Phone page failed")
		http.Error(w, "Something went wrong. The sandbox's log says what.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}
