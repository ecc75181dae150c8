package doctor_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"postern/bridge/doctor"
)

// hangUp ends a connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hangUpOn ends the homeserver's connections at a path, for requests that are meant.
func hangUpOn(path string, meant func(i *installation, r *http.Request) bool) func(i *installation) {
	return func(i *installation) {
		i.homeserver.bugs[path] = func(w http.ResponseWriter, r *http.Request) {
			if meant(i, r) {
				hangUp(w, r)
			}
			i.homeserver.whoami(w, r)
		}
	}
}

func asks(part string) func(i *installation, r *http.Request) bool {
	return func(_ *installation, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Query().Get("user_id"), part) && r.URL.Query().Has("user_id")
	}
}

// without takes a table away from the database, as a disk that is damaged may.
func without(table string) func(i *installation) {
	return func(i *installation) {
		i.exec("PRAGMA foreign_keys = OFF")
		i.exec("DROP TABLE " + table)
	}
}

// brokenFaults are what is broken in the middle: connections that end, and a database that lost a part.
var brokenFaults = []provoked{
	{"a homeserver that hangs up when the token is tried", hangUpOn(whoamiPath, func(_ *installation, r *http.Request) bool {
		return !r.URL.Query().Has("user_id")
	}), "homeserver.token", doctor.Fault, "asked whether it knows the as_token: the connection failed", "log"},
	{"a homeserver that hangs up when the bot is tried", hangUpOn(whoamiPath, asks("@postern:")), "homeserver.bot", doctor.Fault, "asked for the bot: the connection failed", "log"},
	{"a homeserver that hangs up when a contact is tried", hangUpOn(whoamiPath, asks("@postern_")), "homeserver.namespaces", doctor.Fault, "asked for a contact's name: the connection failed", "log"},
	{"a homeserver that hangs up when double puppeting is tried", hangUpOn(whoamiPath, func(i *installation, r *http.Request) bool {
		return r.Header.Get("Authorization") == "Bearer "+i.cfg.DoublePuppet.ASToken
	}), "homeserver.double_puppet", doctor.Fault, "knows double_puppet.as_token: the connection failed", "log"},
	{"a homeserver that hangs up when it shall call", func(i *installation) { i.homeserver.bugs[pingPath] = hangUp }, "homeserver.ping", doctor.Fault, "asked to call the bridge: the connection failed", "firewall"},
	{"Dendrite that hangs up when it shall call", asDendrite(func(i *installation) {
		i.homeserver.bugs["/_matrix/client/v3/profile/@postern_doctor:example.org"] = hangUp
	}), "homeserver.ping", doctor.Fault, "ask the bridge for a contact: the connection failed", "firewall"},
	{"a proxy that hangs up on files", func(i *installation) { proxy(i, "/media/AQ", hangUp) }, "public.ranges", doctor.Fault, "A user's file cannot be fetched: the connection failed", "public.listen"},
	{"a proxy that hangs up on pushes", func(i *installation) { proxy(i, "/push", hangUp) }, "public.push", doctor.Fault, "the connection failed", "public.listen"},
	{"a public address that is none", func(i *installation) { i.cfg.Public.URL = "http://[" }, "public.reachable", doctor.Fault, "not a URL", "Correct it"},
	{"a gatekeeper's address that is none", func(i *installation) { i.cfg.Gatekeepers[0].MediaURL = "https://[" }, "gatekeeper.media", doctor.Fault, "WhatsApp's media host has no valid address", "media_url"},
	{"a database that was moved", func(i *installation) {
		i.must(i.db.KV().Set(context.Background(), "database.moved", []byte("x")))
	}, "database.origin", doctor.Fault, "was moved to PostgreSQL", "database.uri"},
	{"a database whose origin cannot be read", without("postern_kv"), "database.origin", doctor.Fault, "The database cannot be read: no such table", "postern restore"},
	{"a database with a damaged mark of a backup", func(i *installation) {
		i.must(i.db.KV().Set(context.Background(), "database.copy", []byte("no time")))
	}, "database.origin", doctor.Fault, "The database cannot be read", "postern restore"},
	{"a database without what is known of the homeserver", without("postern_kv"), "homeserver.encryption", doctor.Fault, "The database cannot be read: no such table", "postern restore"},
	{"a homeserver that was never tried, and a bridge that is off", func(i *installation) {
		i.exec("DELETE FROM postern_kv")
		i.down()
	}, "homeserver.encryption", doctor.Note, "when the bridge starts", ""},
	{"a database without its outbox", without("postern_outgoing"), "users.waiting", doctor.Fault, "The database cannot be read: no such table", "postern restore"},
	{"a database with damaged enlistments", func(i *installation) {
		i.exec("ALTER TABLE postern_enlistment RENAME COLUMN connected TO other")
	}, "users.lapsing", doctor.Fault, "The database cannot be read: no such column", "postern restore"},
	{"a database that cannot count its enlistments", without("postern_enlistment"), "programs.open_files", doctor.Fault, "The database cannot be read: no such table", "postern restore"},
	{"a folder in the place of the secret key", func(i *installation) {
		i.cfg.SecretKeyFile = filepath.Join(i.dir, "folder")
		i.must(os.Mkdir(i.cfg.SecretKeyFile, 0o700))
	}, "secret.key", doctor.Fault, "In the place of the secret key's file", "container"},
	{"a file in the place of the secret key's folder", func(i *installation) {
		i.cfg.SecretKeyFile = filepath.Join(i.options.ConfigFile, "key")
	}, "secret.key", doctor.Fault, "The secret key cannot be read: not a directory", "readable"},
}
