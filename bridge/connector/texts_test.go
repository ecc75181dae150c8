package connector_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"

	"go.mau.fi/whatsmeow/types"

	"postern/bridge/connector"
	"postern/interop"
)

var gatekeeper = &interop.Gatekeeper{ID: "wa", Name: "Some Messenger"}

func TestEveryRefusalOfAnEnlistmentIsASentence(t *testing.T) {
	seen := make(map[string]string)
	for reason, want := range map[string]struct {
		text  string
		later bool
	}{
		"bad_integrator":          {"integrator number", false},
		"bad_token":               {"who you are", false},
		"bad_identifier":          {"Matrix ID", false},
		"old_version":             {"newer version", false},
		"temporarily_unavailable": {"try again later", true},
		"bad_request":             {"fault of this bridge", false},
		"no_such_reason":          {`"no_such_reason"`, false},
		"":                        {`""`, false},
	} {
		err := fmt.Errorf("failed to enlist: %w", &interop.EnlistError{Reason: reason})
		got := connector.TextEnlistFailed(gatekeeper, err)
		if !strings.HasPrefix(got, "Some Messenger") || !strings.Contains(got, want.text) || !strings.HasSuffix(got, ".") {
			t.Errorf("%s: %q", reason, got)
		}
		if seen[got] != "" {
			t.Errorf("%s and %s have the same text", reason, seen[got])
		}
		seen[got] = reason
		if connector.MayEnlistLater(err) != want.later {
			t.Errorf("%s: may be tried later: %v", reason, !want.later)
		}
	}
	away := errors.New("connection refused")
	if got := connector.TextEnlistFailed(gatekeeper, away); !strings.Contains(got, "could not be reached") || strings.Contains(got, "refused") {
		t.Errorf("got %q for a gatekeeper that is away", got)
	}
	if !connector.MayEnlistLater(away) {
		t.Error("the keys of an enlistment without an answer are thrown away")
	}
}

func TestReasonOfAGatekeeperIsShownInPart(t *testing.T) {
	got := connector.TextEnlistFailed(gatekeeper, &interop.EnlistError{Reason: strings.Repeat("x", 10_000)})
	if len(got) > 300 {
		t.Errorf("the text has %d bytes", len(got))
	}
}

func TestEveryFailureToSendIsASentence(t *testing.T) {
	for err, want := range map[error]string{
		interop.ErrNotReachable:                "does not accept third-party chats",
		interop.ErrUnknownContact:              "check the phone number",
		interop.ErrTooLarge:                    "smaller pieces",
		interop.ErrNotEnlisted:                 "write `login`",
		&interop.StanzaError{Code: 479}:        "refused it",
		errors.New("something we cannot name"): "refused it",
	} {
		if got := connector.TextSendFailed("Some Messenger", fmt.Errorf("failed: %w", err)); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestEveryFailureToStartAChatIsASentence(t *testing.T) {
	for err, want := range map[error]string{
		interop.ErrInvalidPhone:         "+49 151 12345678",
		interop.ErrUnknownContact:       "Nobody on Some Messenger",
		interop.ErrNotReachable:         "does not accept third-party chats",
		interop.ErrNotConnected:         "cannot be reached at the moment",
		&interop.StanzaError{Code: 500}: "did not answer as expected",
	} {
		if got := connector.TextResolveFailed("Some Messenger", fmt.Errorf("failed: %w", err)); !strings.Contains(got, want) {
			t.Errorf("%v: %q", err, got)
		}
	}
}

func TestConsentIsYesOrNo(t *testing.T) {
	for text, want := range map[string]string{
		"yes": "yes", " Yes. ": "yes", "`yes`": "yes", "\"NO\"!": "no", "no": "no",
		"": "", "y": "", "yes please": "", "ja": "", "noyes": "", "yes\x00": "",
	} {
		got, err := connector.ParseAnswer(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

func TestStatesSayWhatIsWrongAndWhetherTheUserCanHelp(t *testing.T) {
	g := &interop.Gatekeeper{ID: "g", Name: "G"}
	for name, test := range map[string]struct {
		got    status.BridgeState
		event  status.BridgeStateEvent
		text   string
		action status.BridgeStateUserAction
	}{
		"away":         {connector.DisconnectedState(g, errors.New("EOF")), status.StateTransientDisconnect, "as soon as it can", ""},
		"no reason":    {connector.DisconnectedState(g, nil), status.StateTransientDisconnect, "as soon as it can", ""},
		"untrusted":    {connector.DisconnectedState(g, interop.ErrUntrustedServer), status.StateUnknownError, "could not prove", ""},
		"not enlisted": {connector.EndedState(g, interop.ErrNotEnlisted), status.StateBadCredentials, "write `login g`", status.UserActionRelogin},
		"outdated":     {connector.EndedState(g, interop.ErrOutdated), status.StateUnknownError, "newer version", ""},
		"replaced":     {connector.EndedState(g, interop.ErrReplaced), status.StateUnknownError, "running it twice", ""},
		"token":        {connector.EndedState(g, interop.ErrTokenRefused), status.StateUnknownError, "who you are", ""},
		"unknown":      {connector.EndedState(g, errors.New("new reason")), status.StateUnknownError, "not tried again", ""},
	} {
		if test.got.StateEvent != test.event || test.got.UserAction != test.action {
			t.Errorf("%s: %s %s", name, test.got.StateEvent, test.got.UserAction)
		}
		if !strings.Contains(test.got.Message, test.text) || !strings.Contains(test.got.Message, "G") || test.got.Error == "" {
			t.Errorf("%s: %q (%s)", name, test.got.Message, test.got.Error)
		}
	}
}

func TestIdentityNoticeIsOneForEachChange(t *testing.T) {
	change := func(device uint16, at int64) *interop.IdentityChanged {
		return &interop.IdentityChanged{Contact: types.JID{User: "1", Device: device, Server: types.DefaultUserServer}, Timestamp: time.Unix(at, 0)}
	}
	first := connector.IdentityNoticeID(change(1, 10))
	if first != connector.IdentityNoticeID(change(1, 10)) {
		t.Error("the same change has two notices")
	}
	for name, other := range map[string]*interop.IdentityChanged{"device": change(2, 10), "time": change(1, 11)} {
		if connector.IdentityNoticeID(other) == first {
			t.Errorf("another %s has the same notice", name)
		}
	}
}
