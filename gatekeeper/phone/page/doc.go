// Package page shows phones as web pages: HTML from the server, which works without a script, and a little script that
// keeps a page up to date by server-sent events. It is for a browser on the same machine. It refuses requests under
// other host names and changes that other sites ask for, and everything that came from somebody is escaped.
package page
