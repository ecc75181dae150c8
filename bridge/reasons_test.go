package bridge_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/database"
	"postern/interop"
)

// TestEveryReasonInTheProtocolHasItsSentence reads the reasons where they are written down.
func TestEveryReasonInTheProtocolHasItsSentence(t *testing.T) {
	text, err := os.ReadFile("../docs/protocol.md")
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
		sentence := bridge.TextEnlistFailed(gatekeeper, &interop.EnlistError{Reason: reason[1]})
		if strings.Contains(sentence, reason[1]) {
			t.Errorf("%s is shown as it came: %s", reason[1], sentence)
		}
	}
}

// TestAdminsAreToldOnceThatTheProtocolIsTooOld however many users find out.
func TestAdminsAreToldOnceThatTheProtocolIsTooOld(t *testing.T) {
	i := install(t)
	i.cfg.Admins = []string{"@root:example.org", "@toor:example.org"}
	told := make(map[id.UserID]int)
	i.server.say(200, `{"status":"fail","reason":"old_version"}`)
	for range 2 {
		i.restart()
		i.daemon.TellInstead(func(user id.UserID, text string) {
			if strings.Contains(text, "version 1.2.3") && strings.Contains(text, "update Postern") {
				told[user]++
			}
		})
		for range 2 {
			if _, err := i.answer("yes"); err == nil {
				t.Fatal("no error")
			}
			i.daemon.WaitForWork()
		}
	}
	if len(told) != 2 || told["@root:example.org"] != 1 || told["@toor:example.org"] != 1 {
		t.Errorf("told: %v", told)
	}
	i.cfg.Gatekeepers[0].ProtocolVersion = "1.2.4"
	i.restart()
	i.daemon.TellInstead(func(user id.UserID, _ string) { told[user]++ })
	if _, err := i.answer("yes"); err == nil {
		t.Fatal("no error")
	}
	i.daemon.WaitForWork()
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
	if asked := i.server.keys(); len(asked) > 0 {
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
	if _, err := i.daemon.WithdrawEEA(context.Background(), i.user, wa); err != nil {
		t.Fatal(err)
	}
	check := func(when string, loggedIn bool) {
		t.Helper()
		if client := i.daemon.Client(login); client == nil || client.IsLoggedIn() != loggedIn || i.state() != database.Enlisted {
			t.Errorf("%s: %v, state %q", when, client, i.state())
		}
	}
	check("withdrawn", false)
	i.restart()
	i.load()
	check("after a restart", false)
	if _, err := i.daemon.ConfirmEEA(context.Background(), i.user, wa); err != nil {
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
	if _, err := i.daemon.WithdrawEEA(context.Background(), i.user, wa); err != nil {
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
	if client := i.daemon.Client(login); client == nil || client.IsLoggedIn() {
		t.Errorf("client %v", client)
	}
}

// load loads alice's login, as a start does.
func (i *installation) load() {
	i.t.Helper()
	if err := i.daemon.LoadLogin(context.Background(), login); err != nil {
		i.t.Fatal(err)
	}
}
