package connector_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"

	"postern/database"
	"postern/interop"
)

func TestEnlistingMakesALogin(t *testing.T) {
	i := install(t)
	step, err := i.answer("Yes")
	if err != nil {
		t.Fatal(err)
	}
	if step.Type != bridgev2.LoginStepTypeComplete || step.CompleteParams.UserLoginID != login {
		t.Errorf("got %+v", step)
	}
	if i.state() != database.Enlisted || i.network.Client(login) == nil || !i.network.Client(login).IsLoggedIn() {
		t.Errorf("state %q, client %v", i.state(), i.network.Client(login))
	}
}

func TestWhoDoesNotAgreeIsNotKnownToAnyone(t *testing.T) {
	i := install(t)
	for _, answer := range []string{"no", "perhaps", ""} {
		if _, err := i.answer(answer); err == nil {
			t.Errorf("%q: no error", answer)
		}
	}
	if asked := i.server.Keys(); len(asked) > 0 || i.state() != "" {
		t.Errorf("asked %d times, state %q", len(asked), i.state())
	}
}

func TestUsersOfOtherServersGetNoLogin(t *testing.T) {
	i := install(t)
	foreigner, err := i.network.Open(context.Background(), "@mallory:other.org")
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.network.CreateLogin(context.Background(), foreigner, wa)
	var answer bridgev2.RespError
	if !errors.As(err, &answer) || answer.StatusCode != http.StatusForbidden || !strings.Contains(answer.Err, "Only users of example.org") {
		t.Errorf("error %v", err)
	}
}

func TestUnknownGatekeeperIsAnError(t *testing.T) {
	i := install(t)
	var answer bridgev2.RespError
	if _, err := i.network.CreateLogin(context.Background(), i.user, "other"); !errors.As(err, &answer) || answer.StatusCode != http.StatusNotFound {
		t.Errorf("error %v", err)
	}
}

func TestRefusedEnlistmentLeavesNothing(t *testing.T) {
	i := install(t)
	i.server.Say(200, `{"status":"fail","reason":"bad_integrator"}`)
	_, err := i.answer("yes")
	if err == nil || !strings.Contains(err.Error(), "integrator number") {
		t.Errorf("error %v", err)
	}
	if i.state() != "" || i.network.Client(login) != nil {
		t.Errorf("state %q", i.state())
	}
	i.server.Say(200, `{"status":"ok","login":"77-1001@interop"}`)
	if _, err = i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if keys := i.server.Keys(); keys[0] == keys[1] {
		t.Error("keys that were refused are used again")
	}
}

func TestEnlistmentWithoutAnAnswerGoesOnWithTheSameKeys(t *testing.T) {
	for name, failure := range map[string]struct {
		status int
		answer string
	}{
		"out of order": {502, ""},
		"nonsense":     {200, "<html>"},
		"later":        {200, `{"status":"fail","reason":"temporarily_unavailable"}`},
	} {
		t.Run(name, func(t *testing.T) {
			i := install(t)
			i.server.Say(failure.status, failure.answer)
			if _, err := i.answer("yes"); err == nil {
				t.Fatal("no error")
			}
			if i.state() != database.Enlisting {
				t.Errorf("state %q", i.state())
			}
			i.server.Say(200, `{"status":"ok","login":"77-1001@interop"}`)
			if _, err := i.answer("yes"); err != nil {
				t.Fatal(err)
			}
			if keys := i.server.Keys(); len(keys) != 2 || keys[0] != keys[1] {
				t.Errorf("keys %v", keys)
			}
		})
	}
}

func TestStartFinishesWhatAnEarlierRunBegan(t *testing.T) {
	i := install(t)
	i.server.Say(502, "")
	if _, err := i.answer("yes"); err == nil {
		t.Fatal("no error")
	}
	<-i.server.Arrived
	i.server.Say(200, `{"status":"ok","login":"77-1001@interop"}`)
	i.restart()
	i.network.Resume(context.Background())
	<-i.server.Arrived
	i.waitForLogin()
	if keys := i.server.Keys(); keys[0] != keys[1] {
		t.Error("the start enlisted with other keys")
	}
}

// TestStartMakesTheLoginOfAnEnlistment: the gatekeeper's answer was stored, and then we were killed.
func TestStartMakesTheLoginOfAnEnlistment(t *testing.T) {
	i := install(t)
	ctx := context.Background()
	enlistments := i.network.AllEnlistments()
	enlistment := &database.Enlistment{
		Gatekeeper: wa, UserID: string(alice), Keys: interop.NewKeys(), State: database.Enlisting, ConsentVersion: 1, ConsentAt: time.Now(),
	}
	if err := enlistments.Create(ctx, enlistment); err != nil {
		t.Fatal(err)
	}
	jid := parseJID(t, "77-1001@interop")
	if err := enlistments.MarkEnlisted(ctx, enlistment.Account, jid, string(login)); err != nil {
		t.Fatal(err)
	}
	i.restart()
	i.network.Resume(ctx)
	i.waitForLogin()
	if asked := i.server.Keys(); len(asked) != 0 {
		t.Errorf("the gatekeeper was asked %d times about an answer that we have", len(asked))
	}
}

func TestLoginOfWhoIsEnlistedStaysAsItIs(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	before := i.network.Client(login)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if i.network.Client(login) != before {
		t.Error("a second client runs for the same account")
	}
	if asked := i.server.Keys(); len(asked) != 1 {
		t.Errorf("enlisted %d times", len(asked))
	}
}

func TestEnlistmentsAtTheSameTimeAreOne(t *testing.T) {
	i := install(t)
	var done sync.WaitGroup
	errs := make(chan error, 4)
	for range cap(errs) {
		done.Go(func() {
			_, err := i.answer("yes")
			errs <- err
		})
	}
	done.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if asked := i.server.Keys(); len(asked) != 1 {
		t.Errorf("enlisted %d times", len(asked))
	}
}

func TestFarewellThatTheGatekeeperDoesNotHearIsRemembered(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	i.network.Client(login).LogoutRemote(context.Background())
	if i.state() != database.Leaving {
		t.Errorf("state %q: the gatekeeper will never hear that the user left", i.state())
	}
	i.restart()
	if i.state() != database.Leaving {
		t.Errorf("state %q after a restart", i.state())
	}
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	if keys := i.server.Keys(); i.state() != database.Enlisted || keys[0] == keys[1] {
		t.Errorf("state %q, keys %v: a new enlistment needs new keys", i.state(), keys)
	}
}

func TestAccountOfAnotherPartnerIsNotTaken(t *testing.T) {
	i := install(t)
	for _, account := range []string{"78-1001@interop", "77-1001:1@interop", "4915112345678@s.whatsapp.net", "77-x@interop", ""} {
		i.server.Say(200, fmt.Sprintf(`{"status":"ok","login":%q}`, account))
		if _, err := i.answer("yes"); err == nil {
			t.Errorf("%s was taken", account)
		}
	}
	if i.state() != database.Enlisting {
		t.Errorf("state %q", i.state())
	}
}
