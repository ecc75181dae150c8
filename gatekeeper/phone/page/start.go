package page

import (
	"net/http"
	"strings"

	"postern/gatekeeper/phone"
)

// startContent is what the first page shows.
type startContent struct {
	Phones       []*phone.Phone
	Problem      string
	Number, Name string // as they were typed, if they are wrong
}

// start shows the phones that are there.
func (p *Page) start(w http.ResponseWriter, _ *http.Request) {
	p.write(w, http.StatusOK, "start.html", &startContent{Phones: p.phones.All()})
}

// addPhone opens the phone of an account, new or not.
func (p *Page) addPhone(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	number, name := strings.Join(strings.Fields(r.FormValue("number")), ""), phone.TidyName(r.FormValue("name"))
	added, err := p.phones.Add(r.Context(), number, name)
	if err != nil {
		p.write(w, http.StatusUnprocessableEntity, "start.html", &startContent{
			Phones: p.phones.All(), Problem: sentence(err), Number: r.FormValue("number"), Name: name,
		})
		return
	}
	http.Redirect(w, r, "/phones/"+strings.TrimPrefix(added.Number(), "+"), http.StatusSeeOther)
}
