package adminpage

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	// usersPerPage is how many enlistments a page lists, maxOffset how far pages go: who searches finds them sooner.
	usersPerPage = 50
	maxOffset    = 1_000_000
	// maxSearch bounds what is searched for, in bytes; a Matrix ID has at most 255.
	maxSearch = 255
	// auditEntries is how many entries of the audit log are shown.
	auditEntries = 100
	// chartPoints is how many points a line has, tableRows how many rows the same as a table.
	chartPoints = 180
	tableRows   = 12
)

type overviewContent struct {
	Overview
	Charts []drawing
	// Troubles is how many kinds of errors and warnings there are.
	Troubles int
}

func (p *Page) overview(w http.ResponseWriter, r *http.Request, session grant) {
	data := overviewContent{Overview: p.bridge.Overview(r.Context()), Troubles: len(p.bridge.Troubles())}
	tables := p.bridge.Charts(tableRows)
	for i, chart := range p.bridge.Charts(chartPoints) {
		data.Charts = append(data.Charts, draw(chart, tables[i]))
	}
	p.show(w, http.StatusOK, "overview.html", session, content{Section: "/", Title: "Overview", Data: data})
}

// missing is for addresses that lead to nothing.
func (p *Page) missing(w http.ResponseWriter, _ *http.Request, session grant) {
	p.show(w, http.StatusNotFound, "problem.html", session, content{Title: "There is no such page"})
}

type usersContent struct {
	Search string
	Users  []Enlistment
	// From is the number of the first, Before and Next are addresses of other pages, "" for none.
	From         int
	Before, Next string
	// Exact is a whole Matrix ID that was searched for, "" if it was not.
	Exact string
}

func (p *Page) users(w http.ResponseWriter, r *http.Request, session grant) {
	search := strings.TrimSpace(r.URL.Query().Get("search"))
	search = strings.ToValidUTF8(search[:min(len(search), maxSearch)], "")
	offset, _ := strconv.Atoi(r.URL.Query().Get("from")) // 0 if it is none
	offset = min(max(0, offset), maxOffset)
	users, err := p.bridge.Users(r.Context(), session.actor, search, offset, usersPerPage+1)
	if err != nil {
		p.fail(w, r, session, err)
		return
	}
	data := usersContent{Search: search, Users: users[:min(len(users), usersPerPage)], From: offset + 1}
	address := func(offset int) string {
		return "/users?" + url.Values{"search": {search}, "from": {strconv.Itoa(offset)}}.Encode()
	}
	if offset > 0 {
		data.Before = address(max(0, offset-usersPerPage))
	}
	if len(users) > usersPerPage {
		data.Next = address(offset + usersPerPage)
	}
	if strings.HasPrefix(search, "@") && strings.Contains(search, ":") {
		data.Exact = search
	}
	p.show(w, http.StatusOK, "users.html", session, content{Section: "/users", Title: "Users", Data: data})
}

func (p *Page) user(w http.ResponseWriter, r *http.Request, session grant) {
	p.showUser(w, r, session, r.URL.Query().Get("id"), http.StatusOK, content{Done: done[r.URL.Query().Get("done")]})
}

// showUser shows a user, with what was done or went wrong.
func (p *Page) showUser(w http.ResponseWriter, r *http.Request, session grant, id string, status int, c content) {
	user, err := p.bridge.User(r.Context(), session.actor, id)
	if refusal, ok := err.(Refusal); ok {
		p.show(w, http.StatusNotFound, "problem.html", session, content{Section: "/users", Title: "Users", Problem: string(refusal)})
		return
	} else if err != nil {
		p.fail(w, r, session, err)
		return
	}
	c.Section, c.Title, c.Data = "/users", user.ID, user
	p.show(w, status, "user.html", session, c)
}

func (p *Page) troubles(w http.ResponseWriter, _ *http.Request, session grant) {
	p.show(w, http.StatusOK, "errors.html", session, content{Section: "/errors", Title: "Errors", Data: p.bridge.Troubles()})
}

type doctorContent struct {
	Examination
	// Bad are the findings that somebody has to do something about, Good the others.
	Bad, Good []Finding
}

func (p *Page) doctor(w http.ResponseWriter, _ *http.Request, session grant) {
	data := doctorContent{Examination: p.bridge.Examination()}
	for _, finding := range data.Findings {
		if finding.Status == "fault" || finding.Status == "warning" {
			data.Bad = append(data.Bad, finding)
		} else {
			data.Good = append(data.Good, finding)
		}
	}
	p.show(w, http.StatusOK, "doctor.html", session, content{Section: "/doctor", Title: "Doctor", Data: data})
}

func (p *Page) audit(w http.ResponseWriter, r *http.Request, session grant) {
	entries, err := p.bridge.Audit(r.Context(), auditEntries)
	if err != nil {
		p.fail(w, r, session, err)
		return
	}
	p.show(w, http.StatusOK, "audit.html", session, content{Section: "/audit", Title: "Audit log", Data: entries})
}
