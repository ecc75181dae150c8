package connector_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/id"

	"postern/bridge/connector"
	"postern/database"
	"postern/interop"
)

// TestEveryReasonInTheProtocolHasItsSentence reads the reasons where they are written down.
func TestEveryReasonInTheProtocolHasItsSentence(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "Reasons: ")
	list, _, _ = strings.Cut(list, ".\n")
	reasons := regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(list, -1)
	if len(reasons) < 7 {
		t.Fatalf("only %d reasons in %q", len(reasons), list)
	}
	for _, reason := range reasons {
		sentence := connector.TextEnlistFailed(gatekeeper, &interop.EnlistError{Reason: reason[1]})
		if strings.Contains(sentence, reason[1]) {
			t.Errorf("%s is shown as it came: %s", reason[1], sentence)
		}
	}
}

// TestEveryLoginFailureInTheProtocolHasItsSentenceAndState reads what the client does about failures and stream errors where it is
// written down; that the client does so is tested in interop. Each outcome is a state of its own.
func TestEveryLoginFailureInTheProtocolHasItsSentenceAndState(t *testing.T) {
	text, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| what the client does |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[string]error{
		"ErrNotEnlisted": interop.ErrNotEnlisted, "ErrOutdated": interop.ErrOutdated, "ErrReplaced": interop.ErrReplaced,
		"ErrTokenRefused": interop.ErrTokenRefused,
	}
	reasons := make(map[status.BridgeStateErrorCode]string)
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		does := cells[len(cells)-1]
		err := errors.New("gatekeeper answered with error 503: <b>internal</b>")
		name := ""
		if match := regexp.MustCompile("`(Err\\w+)`").FindStringSubmatch(does); match != nil {
			name = match[1]
			if named[name] == nil {
				t.Fatalf("the protocol names %s, which this test does not know", name)
			}
			err = fmt.Errorf("%w: %w", named[name], err)
		}
		state := connector.DisconnectedState(gatekeeper, err)
		if strings.HasPrefix(does, "ends") {
			state = connector.EndedState(gatekeeper, err)
		}
		if state.Error == "" || state.Error == "postern-ended" || state.StateEvent == status.StateConnected {
			t.Errorf("%s: state %s, code %q", does, state.StateEvent, state.Error)
		}
		if !strings.Contains(state.Message, gatekeeper.Name) || strings.Contains(state.Message, "internal") || !strings.HasSuffix(state.Message, ".") {
			t.Errorf("%s: no sentence for a user: %q", does, state.Message)
		}
		if other, ok := reasons[state.Error]; ok && other != name {
			t.Errorf("%q and %q are both %s", other, name, state.Error)
		}
		reasons[state.Error] = name
	}
	if len(reasons) != len(named)+1 { // and those that are tried again
		t.Errorf("the table leads to %v", reasons)
	}
}

// TestAdminsAreToldOnceThatTheProtocolIsTooOld however many users find out.
func TestAdminsAreToldOnceThatTheProtocolIsTooOld(t *testing.T) {
	i := install(t)
	i.cfg.Admins = []string{"@root:example.org", "@toor:example.org"}
	told := make(map[id.UserID]int)
	i.server.Say(200, `{"status":"fail","reason":"old_version"}`)
	for range 2 {
		i.restart()
		i.network.TellInstead(func(user id.UserID, text string) {
			if strings.Contains(text, "version 1.2.3") && strings.Contains(text, "update Postern") {
				told[user]++
			}
		})
		for range 2 {
			if _, err := i.answer("yes"); err == nil {
				t.Fatal("no error")
			}
			i.network.TellNews(context.Background())
		}
	}
	if len(told) != 2 || told["@root:example.org"] != 1 || told["@toor:example.org"] != 1 {
		t.Errorf("told: %v", told)
	}
	i.cfg.Gatekeepers[0].ProtocolVersion = "1.2.4"
	i.restart()
	i.network.TellInstead(func(user id.UserID, _ string) { told[user]++ })
	if _, err := i.answer("yes"); err == nil {
		t.Fatal("no error")
	}
	i.network.TellNews(context.Background())
	if told["@root:example.org"] != 2 {
		t.Error("that another version is refused is not told")
	}
}

func TestDeclarationIsAskedForWhereTheConfigDemandsIt(t *testing.T) {
	i := install(t)
	i.cfg.Gatekeepers[0].EEADeclaration = true
	i.restart()
	if _, err := i.answer("yes", "no"); err == nil || !strings.Contains(err.Error(), "European Economic Area") || i.state() != "" {
		t.Errorf("outside of the EEA: %v, state %q", err, i.state())
	}
	if asked := i.server.Keys(); len(asked) > 0 {
		t.Error("the gatekeeper was asked")
	}
	if _, err := i.answer("yes", "yes"); err != nil {
		t.Fatal(err)
	}
	if made := i.enlistment(); !made.DeclaredEEA() || made.EEAVersion != 1 || time.Since(made.EEAAt) > time.Minute {
		t.Errorf("stored: version %d at %s", made.EEAVersion, made.EEAAt)
	}
}

func TestWithdrawnDeclarationSuspendsUntilItIsMadeAgain(t *testing.T) {
	i := install(t)
	i.cfg.Gatekeepers[0].EEADeclaration, i.cfg.Gatekeepers[0].EEAWithdrawn = true, "suspend"
	i.restart()
	if _, err := i.answer("yes", "yes"); err != nil {
		t.Fatal(err)
	}
	if _, err := i.network.WithdrawEEA(context.Background(), i.user, wa); err != nil {
		t.Fatal(err)
	}
	check := func(when string, loggedIn bool) {
		t.Helper()
		if client := i.network.Client(login); client == nil || client.IsLoggedIn() != loggedIn || i.state() != database.Enlisted {
			t.Errorf("%s: %v, state %q", when, client, i.state())
		}
	}
	check("withdrawn", false)
	i.restart()
	i.load()
	check("after a restart", false)
	if _, err := i.network.ConfirmEEA(context.Background(), i.user, wa); err != nil {
		t.Fatal(err)
	}
	check("declared again", true)
	if i.enlistment().EEAWithdrawn != (time.Time{}) {
		t.Error("the withdrawal is still stored")
	}
}

func TestWithdrawnDeclarationMeansLeavingUnlessTheConfigSaysOtherwise(t *testing.T) {
	i := install(t)
	i.cfg.Gatekeepers[0].EEADeclaration = true
	i.restart()
	if _, err := i.answer("yes", "yes"); err != nil {
		t.Fatal(err)
	}
	if _, err := i.network.WithdrawEEA(context.Background(), i.user, wa); err != nil {
		t.Fatal(err)
	}
	if i.state() != database.Leaving {
		t.Errorf("state %q", i.state())
	}
}

func TestWhoNeverDeclaredIsSuspendedWhenTheAgreementDemandsIt(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.cfg.Gatekeepers[0].EEADeclaration = true
	i.restart()
	i.load()
	if client := i.network.Client(login); client == nil || client.IsLoggedIn() {
		t.Errorf("client %v", client)
	}
}

// load loads alice's login, as a start does.
func (i *installation) load() {
	i.t.Helper()
	if err := i.network.LoadLogin(context.Background(), login); err != nil {
		i.t.Fatal(err)
	}
}
