package e2e_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

const (
	// inFlight is how many messages wait for the gatekeeper's word when the user leaves.
	inFlight = 3
	// unanswered is for how long it says nothing.
	unanswered = 10 * time.Second
)

// TestLeavingWhileMessagesAreInFlight: nothing hangs, and the sender learns of every message what became of it.
func TestLeavingWhileMessagesAreInFlight(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	if err := s.Gatekeeper.DelayAcks(ctx, unanswered); err != nil {
		t.Fatal(err)
	}
	sent := make([]id.EventID, inFlight)
	for i := range sent {
		sent[i] = c.alice.writes(t, ctx, c.room, numberedText(c.there, i))
	}
	c.alice.leaves(t, ctx)
	for i, message := range sent {
		// One that the bridge gets only after the user has left is refused, which bridgev2 calls retriable.
		known := func(evt *event.Event) bool {
			return matrixuser.StatusOf(message, "")(evt) && !matrixuser.StatusOf(message, event.MessageStatusPending)(evt)
		}
		c.alice.sees(t, ctx, "what became of "+numberedText(c.there, i), known)
	}
	if _, err := s.Gatekeeper.WaitSaw(ctx, 0, "farewell", func(record sandbox.Record) bool { return record.Kind == "leave" }); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.DelayAcks(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.bob.Device().SendText(ctx, c.alice.Address, "still there?"); err == nil {
		t.Error("the contact's message to someone who left was taken")
	}
	if accounts := must(s.Gatekeeper.Partners(ctx))(t); len(accounts) != 0 {
		t.Errorf("the gatekeeper still knows %d users", len(accounts))
	}
}

// leaves ends all enlistments through the provisioning interface.
func (u *bridgeUser) leaves(t *testing.T, ctx context.Context) {
	t.Helper()
	address := u.stack.Bridge.URL() + "/_matrix/provision/v3/logout/all?user_id=" + url.QueryEscape(u.ID().String())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+u.Client.AccessToken)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("leaving: %s", answer.Status)
	}
}
