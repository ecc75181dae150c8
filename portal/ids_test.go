package portal_test

import (
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

func interopJID(integrator uint16, user string) types.JID {
	return types.JID{User: user, Integrator: integrator, Server: types.InteropServer}
}

func TestUserIDIsReversible(t *testing.T) {
	for _, test := range []struct {
		gatekeeper string
		jid        types.JID
		want       networkid.UserID
	}{
		{"whatsapp", types.NewJID("4915112345678", types.DefaultUserServer), "whatsapp-4915112345678"},
		{"whatsapp", types.NewJID("130455123456789", types.HiddenUserServer), "whatsapp-lid-130455123456789"},
		{"messenger", types.NewJID("100012345678", types.MessengerServer), "messenger-msgr-100012345678"},
		{"whatsapp", interopJID(1, "10853634039893"), "whatsapp-interop-1-10853634039893"},
		{"wa2", interopJID(65535, "18446744073709551615"), "wa2-interop-65535-18446744073709551615"},
		{"lid", types.NewJID("1", types.DefaultUserServer), "lid-1"},
	} {
		got, err := portal.UserID(test.gatekeeper, test.jid)
		if err != nil || got != test.want {
			t.Errorf("UserID(%s, %s) = %q, %v, want %q", test.gatekeeper, test.jid, got, err, test.want)
		}
		gatekeeper, jid, err := portal.ParseUserID(got)
		if err != nil || gatekeeper != test.gatekeeper || jid != test.jid {
			t.Errorf("ParseUserID(%q) = %q, %#v, %v", got, gatekeeper, jid, err)
		}
		if localpart := id.EncodeUserLocalpart(string(got)); localpart != string(got) {
			t.Errorf("user id %q needs escaping in a Matrix ID: %q", got, localpart)
		}
	}
}

func TestUserIDIgnoresTheDevice(t *testing.T) {
	device := types.JID{User: "4915112345678", Server: types.DefaultUserServer, Device: 7}
	if got, err := portal.UserID("whatsapp", device); err != nil || got != "whatsapp-4915112345678" {
		t.Errorf("UserID of a device = %q, %v", got, err)
	}
}

func TestUserIDRefusesWhatIsNoPerson(t *testing.T) {
	for name, test := range map[string]struct {
		gatekeeper string
		jid        types.JID
	}{
		"group":                      {"whatsapp", types.NewJID("123-456", types.GroupServer)},
		"status broadcast":           {"whatsapp", types.StatusBroadcastJID},
		"server":                     {"whatsapp", types.ServerJID},
		"announcements":              {"whatsapp", types.PSAJID},
		"empty":                      {"whatsapp", types.EmptyJID},
		"letters":                    {"whatsapp", types.NewJID("bob", types.DefaultUserServer)},
		"separator in the number":    {"whatsapp", types.NewJID("1-2", types.InteropServer)},
		"too long":                   {"whatsapp", types.NewJID(strings.Repeat("1", 21), types.DefaultUserServer)},
		"no gatekeeper":              {"", types.NewJID("4915112345678", types.DefaultUserServer)},
		"upper case gatekeeper":      {"WhatsApp", types.NewJID("4915112345678", types.DefaultUserServer)},
		"gatekeeper with separator":  {"whats-app", types.NewJID("4915112345678", types.DefaultUserServer)},
		"gatekeeper with underscore": {"whats_app", types.NewJID("4915112345678", types.DefaultUserServer)},
		"gatekeeper too long":        {strings.Repeat("a", 33), types.NewJID("4915112345678", types.DefaultUserServer)},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := portal.UserID(test.gatekeeper, test.jid); !errors.Is(err, portal.ErrInvalidID) {
				t.Errorf("UserID = %q, %v, want ErrInvalidID", got, err)
			}
		})
	}
}

func TestParseUserIDRefusesRubbish(t *testing.T) {
	for _, text := range []networkid.UserID{
		"", "-", "whatsapp", "whatsapp-", "-4915112345678", "whatsapp-04915112345678", "whatsapp-+4915112345678",
		"whatsapp-lid", "whatsapp-lid-", "whatsapp-foo-1", "whatsapp-interop-1", "whatsapp-interop-65536-1",
		"whatsapp-interop-01-1", "whatsapp-interop-+1-1", "whatsapp-interop--1-1", "whatsapp-interop-1-1-1",
		"whatsapp-4915112345678 ", "whatsapp-4915112345678\n", "WHATSAPP-1", "whatsapp-s.whatsapp.net-1",
	} {
		if gatekeeper, jid, err := portal.ParseUserID(text); !errors.Is(err, portal.ErrInvalidID) {
			t.Errorf("ParseUserID(%q) = %q, %v, %v, want ErrInvalidID", text, gatekeeper, jid, err)
		}
	}
}

func TestLoginIDIsReversible(t *testing.T) {
	account := interopJID(1, "10853634039893")
	login, err := portal.LoginID("whatsapp", account)
	if err != nil || login != "whatsapp-1-10853634039893" {
		t.Fatalf("LoginID = %q, %v", login, err)
	}
	gatekeeper, parsed, err := portal.ParseLoginID(login)
	if err != nil || gatekeeper != "whatsapp" || parsed != account {
		t.Errorf("ParseLoginID = %q, %#v, %v", gatekeeper, parsed, err)
	}
	own, err := portal.OwnUserID(login)
	if err != nil || own != "whatsapp-interop-1-10853634039893" {
		t.Errorf("OwnUserID = %q, %v", own, err)
	}
	if _, err := portal.LoginID("whatsapp", types.NewJID("1", types.DefaultUserServer)); !errors.Is(err, portal.ErrInvalidID) {
		t.Errorf("LoginID of a phone number: %v, want ErrInvalidID", err)
	}
	for _, text := range []networkid.UserLoginID{"", "whatsapp", "whatsapp-1", "whatsapp-1-2-3", "whatsapp-x-1", "whatsapp-1-x", "Whatsapp-1-1"} {
		if _, _, err := portal.ParseLoginID(text); !errors.Is(err, portal.ErrInvalidID) {
			t.Errorf("ParseLoginID(%q): %v, want ErrInvalidID", text, err)
		}
		if _, err := portal.OwnUserID(text); !errors.Is(err, portal.ErrInvalidID) {
			t.Errorf("OwnUserID(%q): %v, want ErrInvalidID", text, err)
		}
	}
}

func TestEveryLoginHasItsOwnRoomWithAContact(t *testing.T) {
	first := portal.Key("whatsapp-1-10", "whatsapp-4915112345678")
	second := portal.Key("whatsapp-1-11", "whatsapp-4915112345678")
	if first == second {
		t.Errorf("two logins share the room %v", first)
	}
	contact, err := portal.Contact(first.ID)
	if err != nil || contact != "whatsapp-4915112345678" || first.Receiver != "whatsapp-1-10" {
		t.Errorf("Key(...) = %v, contact %q, %v", first, contact, err)
	}
	if _, err := portal.Contact("123@g.us"); !errors.Is(err, portal.ErrInvalidID) {
		t.Errorf("Contact of a group: %v, want ErrInvalidID", err)
	}
}

func TestMessageIDTellsSendersApart(t *testing.T) {
	seen := map[networkid.MessageID]bool{}
	for _, direction := range []portal.Direction{portal.FromContact, portal.FromUser, portal.FromBridge} {
		for _, contact := range []networkid.UserID{"whatsapp-1", "whatsapp-2", "messenger-1"} {
			for _, text := range []string{"3EB0C431", "a:b", "false_4915112345678@c.us"} {
				messageID, err := portal.MessageID(direction, contact, text)
				if text[0] == 'f' {
					if !errors.Is(err, portal.ErrInvalidID) {
						t.Errorf("MessageID with %q: %v, want ErrInvalidID", text, err)
					}
					continue
				}
				if err != nil || seen[messageID] {
					t.Errorf("MessageID(%s, %s, %s) = %q, %v, seen before: %t", direction, contact, text, messageID, err, seen[messageID])
				}
				seen[messageID] = true
				gotDirection, gotContact, gotText, err := portal.ParseMessageID(messageID)
				if err != nil || gotDirection != direction || gotContact != contact || gotText != text {
					t.Errorf("ParseMessageID(%q) = %q, %q, %q, %v", messageID, gotDirection, gotContact, gotText, err)
				}
			}
		}
	}
}

func TestMessageIDRefusesRubbish(t *testing.T) {
	for name, id := range map[string]networkid.MessageID{
		"empty":             "",
		"no parts":          "3EB0",
		"empty id":          "in:whatsapp-1:",
		"unknown direction": "sideways:whatsapp-1:3EB0",
		"bad contact":       "in:123@g.us:3EB0",
		"space":             "in:whatsapp-1:3EB0 ",
		"line end":          "in:whatsapp-1:3EB0\n",
		"not ASCII":         "in:whatsapp-1:3EB0é",
		"too long":          networkid.MessageID("in:whatsapp-1:" + strings.Repeat("A", portal.MaxMessageIDLength+1)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, _, err := portal.ParseMessageID(id); !errors.Is(err, portal.ErrInvalidID) {
				t.Errorf("ParseMessageID: %v, want ErrInvalidID", err)
			} else if strings.Contains(err.Error(), strings.Repeat("A", 64)) {
				t.Errorf("error repeats foreign text: %v", err)
			}
		})
	}
	if _, err := portal.MessageID(portal.FromContact, "whatsapp-1", strings.Repeat("A", portal.MaxMessageIDLength)); err != nil {
		t.Errorf("longest allowed id refused: %v", err)
	}
}

func FuzzParseUserID(f *testing.F) {
	for _, seed := range []string{"whatsapp-4915112345678", "whatsapp-lid-1", "whatsapp-interop-1-2", "messenger-msgr-1", "--", "a-0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		gatekeeper, jid, err := portal.ParseUserID(networkid.UserID(text))
		if err != nil {
			return
		}
		if again, err := portal.UserID(gatekeeper, jid); err != nil || string(again) != text {
			t.Errorf("%q parsed and made again: %q, %v", text, again, err)
		}
	})
}

func FuzzParseLoginID(f *testing.F) {
	for _, seed := range []string{"whatsapp-1-10853634039893", "whatsapp-01-1", "a-65536-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		gatekeeper, account, err := portal.ParseLoginID(networkid.UserLoginID(text))
		if err != nil {
			return
		}
		if again, err := portal.LoginID(gatekeeper, account); err != nil || string(again) != text {
			t.Errorf("%q parsed and made again: %q, %v", text, again, err)
		}
	})
}

func FuzzParseMessageID(f *testing.F) {
	for _, seed := range []string{"in:whatsapp-1:3EB0", "out:whatsapp-lid-1:a:b", "note:whatsapp-1:identity", "in::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		direction, contact, id, err := portal.ParseMessageID(networkid.MessageID(text))
		if err != nil {
			return
		}
		if again, err := portal.MessageID(direction, contact, id); err != nil || string(again) != text {
			t.Errorf("%q parsed and made again: %q, %v", text, again, err)
		}
	})
}
