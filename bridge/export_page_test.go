package bridge

import "net/http"

// AdminPage is the page, nil if the config turns it off.
func (d *Daemon) AdminPage() http.Handler {
	if d.page == nil {
		return nil
	}
	return d.page
}

// PageLink is what the bot answers an admin with.
func (d *Daemon) PageLink(admin string) string { return d.page.NewLink(admin) }
