package connector_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/bridge/connector"
	"postern/bridge/homeserver"
	"postern/interop"
	"postern/provider"
)

// A notice takes a message's place only for what waiting does not heal.
func TestTroubleOfAFileIsToldFromTroubleOfTheHomeserver(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
		says string
	}{
		"gone":         {interop.ErrMediaMissing, true, "ask your contact to send it again"},
		"damaged":      {interop.ErrMediaBroken, true, "arrived damaged"},
		"nonsense":     {interop.ErrMediaInvalid, true, "does not say properly"},
		"no answer":    {interop.ErrMediaUnavailable, true, "did not hand the file out"},
		"over a limit": {interop.ErrMediaTooLarge, true, "larger than the 7 MiB"},
		"over theirs":  {answered(413, "M_TOO_LARGE"), true, "larger than the 7 MiB"},
		"not allowed":  {answered(403, "M_FORBIDDEN"), true, "did not take the file"},
		"away":         {errors.New("connection refused"), false, ""},
		"out of order": {answered(502, "M_UNKNOWN"), false, ""},
	} {
		err := fmt.Errorf("failed to carry a file: %w", test.err)
		if got := connector.FileTrouble(err); got != test.want {
			t.Errorf("%s: trouble of the file: %v", name, got)
		}
		if text := connector.TextFileTrouble("Some Messenger", 7<<20, err); test.want && !strings.Contains(text, test.says) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestARetryThatFailsSaysWhetherAnotherHelps(t *testing.T) {
	for err, want := range map[error]string{
		connector.ErrNotWaiting:          "it is here, or it is older",
		interop.ErrMediaMissing:          "not work this time either",
		errors.New("connection refused"): "try again later",
	} {
		if text := connector.TextRetryFailed("Some Messenger", 1<<20, err); !strings.Contains(text, want) {
			t.Errorf("%v: %s", err, text)
		}
	}
}

// What the sender's file is to blame for fails its message, everything else is tried again.
func TestOnlyTheFileItselfMakesADraftHopeless(t *testing.T) {
	for _, err := range []error{
		homeserver.ErrMediaMissing, homeserver.ErrMediaBroken, homeserver.ErrMediaInvalid, interop.ErrMediaTooLarge, provider.ErrMediaTooLarge,
		provider.ErrQuota,
	} {
		got := connector.HopelessIfFile(fmt.Errorf("failed to carry: %w", err))
		if !errors.Is(got, interop.ErrHopeless) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
		if text := connector.TextSendFailed("Some Messenger", got); strings.Contains(text, "refused it") {
			t.Errorf("%v: the user reads %q", err, text)
		}
	}
	for _, err := range []error{errors.New("connection refused"), answered(502, "M_UNKNOWN"), io.ErrNoProgress, provider.ErrMediaFull} {
		if got := connector.HopelessIfFile(err); errors.Is(got, interop.ErrHopeless) {
			t.Errorf("%v is hopeless", err)
		}
	}
}

func TestRefusalsOfBridgev2AreExplained(t *testing.T) {
	tooOld := bridgev2.WrapErrorInStatus(bridgev2.ErrEditTargetTooOld)
	if text := connector.ExplainStatus(tooOld, event.EventMessage); !strings.Contains(text, "15 minutes") || !strings.Contains(text, "app") {
		t.Errorf("an edit that comes too late: %q", text)
	}
	unknown := bridgev2.WrapErrorInStatus(fmt.Errorf("reaction %w", bridgev2.ErrTargetMessageNotFound))
	if text := connector.ExplainStatus(unknown, event.EventReaction); !strings.Contains(text, "does not know the message") {
		t.Errorf("a reaction to something unknown: %q", text)
	}
	refused := func(message string) string {
		return connector.ExplainStatus(bridgev2.WrapErrorInStatus(bridgev2.ErrNotLoggedIn).WithMessage(message), event.EventMessage)
	}
	for message, want := range map[string]string{
		"You're not logged in (receiver login is not logged in)": "suspended",
		"You're not logged in (receiver login is nil)":           "suspended",
		"": "suspended",
		"You're not logged in (relay not set and receiver login is owned by @a:b, not @c:d)": "somebody else's chat",
		"Write `eea confirm`.": "", // what the state of the login says is better
	} {
		if text := refused(message); !strings.Contains(text, want) || (text == "") != (want == "") {
			t.Errorf("instead of %q: %q", message, text)
		}
	}
	if text := connector.ExplainStatus(unknown, event.EventRedaction); text != "" {
		t.Errorf("a deletion of something unknown: %q", text)
	}
}
