package e2e_test

import (
	"testing"

	"postern/testbed/stack"
)

// tokenExpired is the gatekeeper's reason for refusing a login whose token is too old.
const tokenExpired = 413

// TestAnExpiredTokenIsReplaced: the bridge fetches a new one and nobody notices.
func TestAnExpiredTokenIsReplaced(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	if err := s.Gatekeeper.RefuseLogins(ctx, tokenExpired, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.Drop(ctx, c.alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	if err := c.bothWrite(ctx, 0, 3); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 3)
}

// TestTokensThatAreNeverAcceptedAreReported: the user reads what is wrong and whom to tell.
func TestTokensThatAreNeverAcceptedAreReported(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice := newEnlisted(t, ctx, s, "alice")
	if err := s.Gatekeeper.ExpireTokens(ctx, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.Drop(ctx, alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.WaitMessage(ctx, alice.Management, s.Bot(), "does not accept this bridge's word"); err != nil {
		t.Error(err)
	}
}

// TestAForgottenEnlistmentIsReported: the gatekeeper does that after 30 days without a connection.
func TestAForgottenEnlistmentIsReported(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice := newEnlisted(t, ctx, s, "alice")
	if err := s.Gatekeeper.Forget(ctx, alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.WaitMessage(ctx, alice.Management, s.Bot(), "no longer knows you as enlisted"); err != nil {
		t.Fatal(err)
	}
	// Enlisting again is the remedy.
	alice.command(t, ctx, "login "+stack.GatekeeperID, "yes")
	alice.command(t, ctx, "yes", "You are enlisted")
}
