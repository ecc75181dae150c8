package adminpage

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// done are the sentences for what was done, by what the address says then.
var done = map[string]string{
	"suspended":   "The user is suspended and is told why.",
	"unsuspended": "The user is not suspended any more, and is told so.",
	"erased":      "The user leaves all gatekeepers, and is told so. The bridge erases the data now; that takes up to a minute, or as long as a gatekeeper is away.",
}

func (p *Page) suspend(w http.ResponseWriter, r *http.Request, session grant) {
	reason := r.PostForm.Get("reason")
	p.act(w, r, session, "suspended", func(ctx context.Context, user string) error {
		return p.bridge.Suspend(ctx, session.actor, user, reason)
	})
}

func (p *Page) unsuspend(w http.ResponseWriter, r *http.Request, session grant) {
	p.act(w, r, session, "unsuspended", func(ctx context.Context, user string) error {
		return p.bridge.Unsuspend(ctx, session.actor, user)
	})
}

// erase wants the Matrix ID to be typed once more: there is no way back.
func (p *Page) erase(w http.ResponseWriter, r *http.Request, session grant) {
	typed := r.PostForm.Get("confirm")
	p.act(w, r, session, "erased", func(ctx context.Context, user string) error {
		if typed != user {
			return Refusal("Nothing is erased: what you typed is not the Matrix ID of this user.")
		}
		return p.bridge.Erase(ctx, session.actor, user)
	})
}

// act does something with the user whom the form names, and shows the user then.
func (p *Page) act(w http.ResponseWriter, r *http.Request, session grant, word string, do func(ctx context.Context, user string) error) {
	user := r.PostForm.Get("user")
	err := do(r.Context(), user)
	var refusal Refusal
	switch {
	case errors.As(err, &refusal):
		p.showUser(w, r, session, user, http.StatusUnprocessableEntity, content{Problem: string(refusal)})
	case err != nil:
		p.fail(w, r, session, err)
	default:
		http.Redirect(w, r, "/user?"+url.Values{"id": {user}, "done": {word}}.Encode(), http.StatusSeeOther)
	}
}

func (p *Page) examine(w http.ResponseWriter, r *http.Request, _ grant) {
	p.bridge.Examine()
	http.Redirect(w, r, "/doctor", http.StatusSeeOther)
}

// exportUsers sends a file. It is a form, since it is noted in the audit log.
func (p *Page) exportUsers(w http.ResponseWriter, r *http.Request, session grant) {
	file, err := p.bridge.ExportUsers(r.Context(), session.actor, r.PostForm.Get("search"))
	if err != nil {
		p.fail(w, r, session, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="postern-users-`+p.now().UTC().Format("2006-01-02")+`.csv"`)
	_, _ = w.Write(file)
}
