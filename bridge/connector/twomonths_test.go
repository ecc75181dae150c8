package connector_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	sandbox "postern/gatekeeper"
	"postern/interop"
	"postern/interop/clocktest"
)

const bob = id.UserID("@bob:example.org")

// silence is a connector, a sandbox gatekeeper and their clocks, which are moved together.
type silence struct {
	*installation
	clock   *clocktest.Clock
	sandbox *sandbox.Server
	passed  time.Duration
}

func newSilence(t *testing.T) *silence {
	t.Helper()
	s := &silence{installation: install(t), clock: clocktest.New()}
	s.installation.clock = s.clock
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.partner.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(partner.Close)
	var err error
	s.sandbox, err = sandbox.New(&sandbox.Config{
		Listen: "127.0.0.1:0", Control: "127.0.0.1:0", Product: "whatsapp", MinimumVersion: sandbox.Version{1, 0, 0},
		Database: filepath.Join(t.TempDir(), "gatekeeper.db"), RootKeyFile: filepath.Join(t.TempDir(), "root.key"),
		Partners: []sandbox.Partner{{Integrator: 77, Issuer: partner.URL, Audience: "some audience"}},
	}, zerolog.Nop())
	if err == nil {
		err = s.sandbox.Start(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.sandbox.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	root := s.sandbox.RootKey()
	s.cfg.Public.URL = partner.URL
	entry := &s.cfg.Gatekeepers[0]
	entry.EnlistURL, entry.ChatURL, entry.RootKey = s.sandbox.EnlistURL(), s.sandbox.ChatURL(), hex.EncodeToString(root[:])
	entry.Connection, entry.PushIssuer, entry.PushKeysURL = config.ConnectOnDemand, "SOMEBODY", partner.URL
	s.again()
	return s
}

// again starts the connector anew. Only alice, who writes to the bot, is loaded.
func (s *silence) again() {
	s.t.Helper()
	s.close()
	s.open()
	if err := s.network.StartLogins(context.Background()); err != nil {
		s.t.Fatal(err)
	}
	s.called()
}

// called waits until everybody who was due has been called and is connected, if that was needed.
func (s *silence) called() {
	for <-s.clock.Armed != connector.DueEvery {
	}
	s.network.WaitArrived()
}

// enlist lets a user say yes.
func (s *silence) enlist(user id.UserID) {
	s.t.Helper()
	ctx := context.Background()
	opened, err := s.network.Open(ctx, user)
	if err != nil {
		s.t.Fatal(err)
	}
	process, err := s.network.CreateLogin(ctx, opened, wa)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err = process.(bridgev2.LoginProcessUserInput).SubmitUserInput(ctx, map[string]string{"consent": "yes"}); err != nil {
		s.t.Fatal(err)
	}
	s.network.WaitArrived()
}

// hour lets an hour pass at both ends.
func (s *silence) hour() {
	s.t.Helper()
	s.passed += connector.DueEvery
	body := fmt.Sprintf(`{"offset_seconds":%d}`, int(s.passed/time.Second))
	response, err := http.Post(s.sandbox.ControlURL()+"/faults/clock", "application/json", bytes.NewBufferString(body))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("the gatekeeper's clock was not moved: status %d", response.StatusCode)
	}
	s.clock.Advance(connector.DueEvery)
	s.called()
}

// enlisted returns whom the gatekeeper knows.
func (s *silence) enlisted() (users []string) {
	s.t.Helper()
	response, err := http.Get(s.sandbox.ControlURL() + "/interop")
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct {
		Accounts []struct {
			UserVisibleID string `json:"user_visible_id"`
		} `json:"accounts"`
	}
	if err = json.NewDecoder(response.Body).Decode(&list); err != nil {
		s.t.Fatal(err)
	}
	for _, account := range list.Accounts {
		users = append(users, account.UserVisibleID)
	}
	slices.Sort(users)
	return users
}

// TestTwoMonthsOfSilence: nobody writes for 60 days. The gatekeeper, which drops who does not connect for 30 days, still knows
// the user whose login is loaded and the one whose login is not, and no longer the one who is not connected by anybody.
func TestTwoMonthsOfSilence(t *testing.T) {
	s := newSilence(t)
	s.enlist(bob)
	s.enlist(alice)
	entry, err := s.cfg.Gatekeepers[0].Interop()
	if err != nil {
		t.Fatal(err)
	}
	const carol = "@carol:example.org"
	if _, err = interop.Enlist(context.Background(), http.DefaultClient, entry, s.partner, carol, interop.NewKeys()); err != nil {
		t.Fatal(err)
	}
	if got := s.enlisted(); !slices.Equal(got, []string{string(alice), string(bob), carol}) {
		t.Fatalf("enlisted are %s", got)
	}
	s.again()
	for s.passed < 60*24*time.Hour {
		s.hour()
	}
	if got := s.enlisted(); !slices.Equal(got, []string{string(alice), string(bob)}) {
		t.Errorf("enlisted are %s", got)
	}
	if s.network.IsLoaded(bob) {
		t.Error("the user whom nobody needs was loaded")
	}
}

// TestPushLoadsAndConnectsWhoIsNotLoaded: the login was not loaded at the start, since nobody needed it.
func TestPushLoadsAndConnectsWhoIsNotLoaded(t *testing.T) {
	s := newSilence(t)
	s.enlist(bob)
	s.again()
	if s.network.IsLoaded(bob) {
		t.Fatal("the login is loaded")
	}
	s.network.Wake(context.Background(), wa, string(bob))
	for <-s.clock.Armed != s.cfg.Gatekeepers[0].Idle() {
	}
	s.network.WaitArrived()
	if !s.network.IsLoaded(bob) {
		t.Error("the login is not loaded")
	}
}
