package e2e_test

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"postern/interop/wire"
	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
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
		shy.Phone:              "has third-party chats off",
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
	alice.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
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
	if _, err = mallory.SendText(ctx, room, "login "+stack.GatekeeperID); err != nil {
		t.Fatal(err)
	}
	if _, err = mallory.WaitMessage(ctx, room, s.Bot(), "Only users of "+s.Homeserver.Domain()); err != nil {
		t.Error(err)
	}
	if _, err = s.Gatekeeper.Account(ctx, mallory.ID().String()); err == nil {
		t.Error("the gatekeeper knows the user")
	}
}

// TestBridgesThatAreSetUpWrongly reads what users are told when the configuration does not fit the gatekeeper.
func TestBridgesThatAreSetUpWrongly(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice := newUser(t, ctx, s, "alice")
	for _, test := range []struct {
		name, key string
		value     any
		answer    string
	}{
		{"unknown integrator", "integrator", 77, "integrator number"},
		{"wrong audience", "audience", "someone else", "who you are"},
		{"old version", "protocol_version", "0.9.0", "newer version"},
		{"no such server", "enlist_url", "http://127.0.0.1:9/3p/interop_reg", "could not be reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer reconfigure(t, ctx, s, test.key, test.value)()
			alice.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
			alice.command(t, ctx, "yes", test.answer)
			if _, err := s.Gatekeeper.Account(ctx, alice.ID().String()); err == nil {
				t.Error("the gatekeeper knows the user")
			}
		})
	}
	// With everything right again the last try is finished without the user, who agreed.
	if _, err := s.Gatekeeper.WaitSaw(ctx, 0, "login", isLogin); err != nil {
		t.Error(err)
	}
}

// TestAServerThatNobodyVouchesForIsNotTalkedTo: the user is enlisted, but nothing goes over the chat channel.
func TestAServerThatNobodyVouchesForIsNotTalkedTo(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice := newUser(t, ctx, s, "alice")
	other := wire.NewKeyPair()
	restore := reconfigure(t, ctx, s, "root_key", hex.EncodeToString(other.Pub[:]))
	alice.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
	alice.command(t, ctx, "yes", "could not prove that it is the right one")
	saw, err := s.Gatekeeper.SawSoFar(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range saw {
		if isLogin(record) || strings.HasPrefix(record.Kind, "iq") {
			t.Errorf("the gatekeeper saw %+v", record)
		}
	}
	restore()
	if _, err = s.Gatekeeper.WaitSaw(ctx, 0, "login", isLogin); err != nil {
		t.Error(err)
	}
}

func isLogin(record sandbox.Record) bool { return record.Kind == "login" }

// reconfigure restarts the bridge with another value in its gatekeeper's entry. The function that it returns puts the
// old one back, in the same way.
func reconfigure(t *testing.T, ctx context.Context, s *stack.Stack, key string, value any) func() {
	t.Helper()
	change := func(value any) (before any) {
		if err := s.Bridge.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		err := s.Bridge.EditConfig(func(config map[string]any) {
			entry := config["gatekeepers"].([]any)[0].(map[string]any)
			before, entry[key] = entry[key], value
		})
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		return before
	}
	before := change(value)
	return func() { change(before) }
}
