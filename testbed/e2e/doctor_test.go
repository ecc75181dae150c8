package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"postern/testbed/homeserver"
	"postern/testbed/stack"
)

// finding is what doctor says of one thing.
type finding struct {
	Check, Status, Text, Remedy string
}

// examined runs doctor beside the bridge. failed is its exit status.
func examined(t *testing.T, ctx context.Context, s *stack.Stack) (findings []finding, failed bool) {
	t.Helper()
	said, err := s.Bridge.Run(ctx, "doctor", "--json")
	if decodeErr := json.NewDecoder(strings.NewReader(said)).Decode(&findings); decodeErr != nil || len(findings) == 0 {
		t.Fatalf("doctor said %q, %v", said, decodeErr)
	}
	return findings, err != nil
}

// isWell wants no finding that is worse than a note, apart from those of some checks.
func isWell(t *testing.T, ctx context.Context, s *stack.Stack, but ...string) []finding {
	t.Helper()
	findings, failed := examined(t, ctx, s)
	if failed {
		t.Error("the exit status tells of a fault")
	}
	for _, one := range findings {
		if one.Status != "ok" && one.Status != "note" && !slices.Contains(but, one.Check) {
			t.Errorf("%+v", one)
		}
	}
	return findings
}

// findsFault wants one fault, with this text.
func findsFault(t *testing.T, ctx context.Context, s *stack.Stack, check, text string) {
	t.Helper()
	findings, failed := examined(t, ctx, s)
	if !failed {
		t.Error("the exit status tells of no fault")
	}
	for _, one := range findings {
		if one.Check == check {
			if one.Status != "fault" || !strings.Contains(one.Text, text) || one.Remedy == "" {
				t.Errorf("got %+v, want a fault with %q", one, text)
			}
		} else if one.Status == "fault" {
			t.Errorf("another fault: %+v", one)
		}
	}
	find(t, findings, check)
}

func find(t *testing.T, findings []finding, check string) finding {
	t.Helper()
	for _, one := range findings {
		if one.Check == check {
			return one
		}
	}
	t.Errorf("nothing is said about %s: %+v", check, findings)
	return finding{}
}

// withRegistrations is for reloaded.
const withRegistrations = true

// reloaded restarts the homeserver with registrations in which words are replaced, or with none.
func reloaded(t *testing.T, ctx context.Context, s *stack.Stack, load bool, replacements ...string) {
	t.Helper()
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var paths []string
	if load {
		for _, path := range s.Bridge.Registrations() {
			text := must(os.ReadFile(path))(t)
			path = filepath.Join(t.TempDir(), filepath.Base(path))
			if err := os.WriteFile(path, []byte(strings.NewReplacer(replacements...).Replace(string(text))), 0o600); err != nil {
				t.Fatal(err)
			}
			paths = append(paths, path)
		}
	}
	if err := s.Homeserver.Start(ctx, paths...); err != nil {
		t.Fatal(err)
	}
}

// of is what Synapse is found out with, or Dendrite.
func of(synapse bool, this, other string) string {
	if synapse {
		return this
	}
	return other
}

// TestDoctorFindsNothingWhereAllIsWell, with the bridge and without, and is in nobody's way.
func TestDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	text := unique("hello")
	alice.writes(t, ctx, room, text)
	hears(t, ctx, bob, text)
	secrets := must(s.Bridge.Secrets())(t)
	for _, one := range isWell(t, ctx, s) {
		for _, secret := range []string{secrets.ASToken, secrets.HSToken, secrets.DoublePuppetToken, alice.ID().String(), bob.Phone} {
			if strings.Contains(one.Text+one.Remedy, secret) {
				t.Errorf("a secret or a person is in %+v", one)
			}
		}
	}

	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	later := unique("later")
	alice.writes(t, ctx, room, later) // the homeserver may try to deliver it to doctor
	findings := isWell(t, ctx, s)
	if ping := find(t, findings, "homeserver.ping"); ping.Status != "ok" || !strings.Contains(ping.Text, "Doctor answered in the place of the bridge") {
		t.Errorf("the ping without the bridge is %+v", ping)
	}
	if running := find(t, findings, "bridge.running"); running.Status != "note" {
		t.Errorf("the bridge is off, and doctor says %+v", running)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	hears(t, ctx, bob, later)
	// After it was refused, Synapse may send later than the bridge waits for its first to-device message.
	isWell(t, ctx, s, "homeserver.encryption")
}

// TestDoctorNamesARegistrationThatWasNotLoaded, or an old one.
func TestDoctorNamesARegistrationThatWasNotLoaded(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	secrets := must(s.Bridge.Secrets())(t)
	reloaded(t, ctx, s, !withRegistrations)
	findsFault(t, ctx, s, "homeserver.token", "did not load the registration")

	reloaded(t, ctx, s, withRegistrations, secrets.ASToken, "another-token")
	findsFault(t, ctx, s, "homeserver.token", "did not load the registration")

	reloaded(t, ctx, s, withRegistrations, secrets.DoublePuppetToken, "another-token")
	findsFault(t, ctx, s, "homeserver.double_puppet", "does not know double_puppet.as_token")
}

// TestDoctorNamesARegistrationThatLeadsNowhere: to other contacts, to another address, with another hs_token.
func TestDoctorNamesARegistrationThatLeadsNowhere(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	synapse, secrets := s.Homeserver.Kind() == homeserver.Synapse, must(s.Bridge.Secrets())(t)
	reloaded(t, ctx, s, withRegistrations, "@postern_", "@other_")
	findsFault(t, ctx, s, "homeserver.namespaces", of(synapse, "not in the registration's namespaces", "others could register them"))

	reloaded(t, ctx, s, withRegistrations, s.Bridge.URL(), "http://127.0.0.1:9") // where nobody listens
	findsFault(t, ctx, s, "homeserver.ping", of(synapse, "M_CONNECTION_FAILED", "cannot reach it"))

	reloaded(t, ctx, s, withRegistrations, secrets.HSToken, "another-token")
	findsFault(t, ctx, s, "homeserver.ping", "hs_token")
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	findsFault(t, ctx, s, "homeserver.ping", "hs_token")
}

// TestDoctorBeforeTheFirstStart is what an admin does who wants to know whether the homeserver is set up.
func TestDoctorBeforeTheFirstStart(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	loseDatabase(t, ctx, s)
	findings := isWell(t, ctx, s)
	for _, check := range []string{"homeserver.token", "homeserver.ping"} {
		if one := find(t, findings, check); one.Status != "ok" {
			t.Errorf("%+v", one)
		}
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Error(err)
	}
}
