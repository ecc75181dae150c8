package database_test

import (
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/database"
)

func TestJIDKeepsEveryField(t *testing.T) {
	for text, jid := range map[string]types.JID{
		"":                              {},
		"s.whatsapp.net/0/0/0/4915112":  {Server: types.DefaultUserServer, User: "4915112"},
		"s.whatsapp.net/0/0/3/4915112":  {Server: types.DefaultUserServer, User: "4915112", Device: 3},
		"interop/1/0/0/10853634039893":  {Server: types.InteropServer, Integrator: 1, User: "10853634039893"},
		"interop/65535/255/65535/1/2//": {Server: types.InteropServer, Integrator: 65535, RawAgent: 255, Device: 65535, User: "1/2//"},
	} {
		if got := database.FormatJID(jid); got != text {
			t.Errorf("%+v is written as %q, want %q", jid, got, text)
		}
		got, err := database.ParseJID(text)
		check(t, err)
		if got != jid {
			t.Errorf("%q is read as %+v, want %+v", text, got, jid)
		}
	}
}

func TestJIDRefusesRubbish(t *testing.T) {
	for _, text := range []string{"x", "interop/1/0/0", "interop/65536/0/0/1", "interop/1/256/0/1", "interop/1/0/-1/1", "a/ /0/0/b"} {
		if jid, err := database.ParseJID(text); err == nil {
			t.Errorf("%q is read as %+v", text, jid)
		}
	}
}

func FuzzParseJID(f *testing.F) {
	for _, seed := range []string{"", "interop/1/0/0/10853634039893", "s.whatsapp.net/0/0/3/49151/12", "a/01/+1/0/b", "////"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jid, err := database.ParseJID(text)
		if err != nil {
			return
		}
		again, err := database.ParseJID(database.FormatJID(jid))
		if err != nil || again != jid {
			t.Errorf("%q is read as %+v, and that as %+v, %v", text, jid, again, err)
		}
	})
}
