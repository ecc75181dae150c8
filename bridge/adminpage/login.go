package adminpage

import "net/http"

// loginContent is what the login page shows: a button for the link, or how to get one.
type loginContent struct{ Link string }

// askLogin shows a button instead of logging in, so that a program that looks at links does not use them up.
func (p *Page) askLogin(w http.ResponseWriter, r *http.Request) {
	link := r.URL.Query().Get("link")
	if !isToken(link) {
		link = ""
	}
	if _, ok := p.sessionOf(r); ok && link == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	p.write(w, http.StatusOK, "login.html", &content{Title: "Log in", Data: loginContent{Link: link}})
}

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	link := r.PostFormValue("link")
	if !isToken(link) {
		p.refuse(w, http.StatusBadRequest, "This is not a link to this page.")
		return
	}
	actor := p.logins.useLink(link)
	if actor == "" {
		if !p.logins.mayTry() {
			p.refuse(w, http.StatusTooManyRequests, "There were too many wrong links. Wait a minute, and get a new one.")
			return
		}
		var err error
		if actor, err = p.bridge.RedeemLink(r.Context(), hashOf(link)); err != nil {
			p.log.Err(err).Msg("Failed to look for a link to the admin page")
			p.refuse(w, http.StatusInternalServerError, textFailed)
			return
		}
	}
	if actor == "" {
		p.log.Warn().Str("remote", r.RemoteAddr).Msg("Somebody used a link to the admin page that does not work")
		p.refuse(w, http.StatusForbidden, "This link does not work any more: it was used, is older than five minutes, or a newer one was made. Get a new one.")
		return
	}
	p.bridge.LoggedIn(r.Context(), actor)
	p.endSession(r) // the browser forgets it
	http.SetCookie(w, p.cookie(p.logins.newSession(actor), int(sessionLife.Seconds())))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request, _ grant) {
	p.endSession(r)
	http.SetCookie(w, p.cookie("", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// endSession ends the browser's session, if it has one.
func (p *Page) endSession(r *http.Request) {
	if cookie, err := r.Cookie(p.cookieName()); err == nil {
		p.logins.endSession(cookie.Value)
	}
}
