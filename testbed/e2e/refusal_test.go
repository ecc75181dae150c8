package e2e_test

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"postern/interop/wire"
	"postern/testbed/daemon"
	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/servertest"
	"postern/testbed/stack"
)

func TestPhoneNumbersThatLeadNowhere(t *testing.T) {
	ctx, s := shared(t)
	alice, shy := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Shy", 1)
	if err := s.Gatekeeper.SetThirdParty(ctx, shy.Phone, false); err != nil {
		t.Fatal(err)
	}
	for phone, reason := range map[string]string{
		"0151 2345678":         "international form",
		"+49 not-a-number":     "international form",
		"+1":                   "international form",
		"+4915199999999999999": "international form",
		"+4915199999999":       "Nobody",
		shy.Phone:              "does not accept third-party chats",
	} {
		t.Run(phone, func(t *testing.T) {
			alice.command(t, ctx, "start-chat "+phone, reason)
			answer := alice.askProvisioning(t, ctx, alice.Client.AccessToken, phone)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				t.Error("the provisioning interface made a chat")
			}
		})
	}
}

// TestAContactWhoTurnsChatsOff: the sender of a message that is refused reads why.
func TestAContactWhoTurnsChatsOff(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	if err := s.Gatekeeper.SetThirdParty(ctx, bob.Phone, false); err != nil {
		t.Fatal(err)
	}
	sent := alice.writes(t, ctx, room, unique("anyone-there"))
	if _, err := alice.Wait(ctx, "failed status", matrixuser.StatusOf(sent, "FAIL_PERMANENT")); err != nil {
		t.Error(err)
	}
	if _, err := alice.WaitMessage(ctx, room, s.Bot(), "does not accept third-party chats"); err != nil {
		t.Error(err)
	}
}

func TestUsersWhoDoNotAgreeAreNotEnlisted(t *testing.T) {
	ctx, s := shared(t)
	alice := newUser(t, ctx, s, "alice")
	alice.command(t, ctx, "login "+stack.GatekeeperID, "yes")
	alice.command(t, ctx, "perhaps", "yes")
	alice.command(t, ctx, "no", "nothing was done")
	if _, err := s.Gatekeeper.Account(ctx, alice.ID().String()); err == nil {
		t.Error("the gatekeeper knows the user all the same")
	}
}

// TestUsersOfOtherServersCannotEnlist: one agreement covers one server's own users.
func TestUsersOfOtherServersCannotEnlist(t *testing.T) {
	ctx, s := own(t, stack.Options{Federation: true})
	abroad := servertest.Start(t, homeserver.Options{Kind: homeserver.Dendrite, Federation: true})
	account, err := abroad.CreateUser(ctx, "mallory", "password of mallory")
	if err != nil {
		t.Fatal(err)
	}
	mallory, err := matrixuser.New(ctx, matrixuser.Options{
		HomeserverURL: abroad.URL(), Account: account, Dir: servertest.Dir(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mallory.Close() })
	room, err := mallory.StartDirectChat(ctx, s.Bot())
	if err != nil {
		t.Fatal(err)
	}
	answer, err := mallory.Ask(ctx, room, s.Bot(), "login "+stack.GatekeeperID)
	if err != nil {
		t.Fatal(err)
	}
	if body := answer.Content.AsMessage().Body; !strings.Contains(body, "Only users of "+s.Homeserver.Domain()) {
		t.Errorf("the bot answered %q", body)
	}
	if _, err = s.Gatekeeper.Account(ctx, mallory.ID().String()); err == nil {
		t.Error("the gatekeeper knows the user")
	}
}

// TestEnlistmentThatTheGatekeeperRefuses sets bridges up wrongly and reads what their users are told.
func TestEnlistmentThatTheGatekeeperRefuses(t *testing.T) {
	cases := map[string]struct {
		configure func(entry *daemon.Gatekeeper)
		answer    string
	}{
		"unknown integrator": {func(entry *daemon.Gatekeeper) { entry.Integrator = 77 }, "integrator number"},
		"wrong audience":     {func(entry *daemon.Gatekeeper) { entry.Audience = "someone else" }, "who you are"},
		"old version":        {func(entry *daemon.Gatekeeper) { entry.ProtocolVersion = "0.9.0" }, "newer version"},
		"no such server": {func(entry *daemon.Gatekeeper) {
			entry.EnlistURL = "http://127.0.0.1:9/3p/interop_reg"
		}, "could not be reached"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, s := own(t, stack.Options{Configure: test.configure})
			alice := newUser(t, ctx, s, "alice")
			alice.command(t, ctx, "login "+stack.GatekeeperID, "yes")
			alice.command(t, ctx, "yes", test.answer)
			if _, err := s.Gatekeeper.Account(ctx, alice.ID().String()); err == nil {
				t.Error("the gatekeeper knows the user")
			}
		})
	}
}

// TestAServerWithAnotherRootKeyIsNotTalkedTo: the user is enlisted, but nothing goes over the chat channel.
func TestAServerWithAnotherRootKeyIsNotTalkedTo(t *testing.T) {
	other := wire.NewKeyPair()
	ctx, s := own(t, stack.Options{Configure: func(entry *daemon.Gatekeeper) {
		entry.RootKey = hex.EncodeToString(other.Pub[:])
	}})
	alice := newUser(t, ctx, s, "alice")
	alice.command(t, ctx, "login "+stack.GatekeeperID, "yes")
	alice.command(t, ctx, "yes", "could not prove that it is the right one")
	saw, err := s.Gatekeeper.SawSoFar(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range saw {
		if strings.HasPrefix(record.Kind, "login") || strings.HasPrefix(record.Kind, "iq") {
			t.Errorf("the gatekeeper saw %+v", record)
		}
	}
}
