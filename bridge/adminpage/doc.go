// Package adminpage is the page in which those who run the bridge see how it is, and do what the bot's commands do. HTML comes from
// the server and works without a script; a little script keeps what is shown up to date.
//
//	page := adminpage.New(adminpage.Options{URL: "https://admin.example.org", Bridge: bridge, Log: log, Now: time.Now})
//	link := page.NewLink("@root:example.org") // goes to the admin's encrypted chat
//	http.Handle("/", page)
//
// There are no passwords: a link that works once logs its admin in, see [Page.NewLink]. Links and sessions are in memory only, as
// hashes, and end with the process. All that somebody wrote is escaped, nothing is loaded from elsewhere, and other sites can neither
// read the page nor change anything.
package adminpage
