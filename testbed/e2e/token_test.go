package e2e_test

import (
	"testing"

	"postern/testbed/stack"
)

const (
	// tokenExpired is the gatekeeper's reason for refusing a login whose token is too old.
	tokenExpired = 413
	// oneTooMany is more refusals than the client fetches fresh tokens for.
	oneTooMany = 50
)

// TestTokensThatTheGatekeeperRefuses uses one user for both cases: the gatekeeper keeps one such fault at a time.
func TestTokensThatTheGatekeeperRefuses(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	alice := c.alice
	refuse := func(t *testing.T, times int) {
		t.Helper()
		if err := s.Gatekeeper.RefuseLogins(ctx, alice.ID().String(), tokenExpired, times); err != nil {
			t.Fatal(err)
		}
		if err := s.Gatekeeper.Drop(ctx, alice.ID().String()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("one expired token is replaced and nobody notices", func(t *testing.T) {
		refuse(t, 2)
		if err := c.bothWrite(ctx, 0, 3); err != nil {
			t.Fatal(err)
		}
		c.check(t, ctx, 3)
	})
	t.Run("tokens that are never accepted are reported", func(t *testing.T) {
		refuse(t, oneTooMany)
		if _, err := alice.WaitMessage(ctx, alice.Management, s.Bot(), "does not accept this bridge's word"); err != nil {
			t.Error(err)
		}
	})
}

// TestAForgottenEnlistmentIsReported: the gatekeeper does that after 30 days without a connection.
func TestAForgottenEnlistmentIsReported(t *testing.T) {
	ctx, s := shared(t)
	alice := newEnlisted(t, ctx, s, "alice")
	if err := s.Gatekeeper.Forget(ctx, alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.WaitMessage(ctx, alice.Management, s.Bot(), "no longer knows you as enlisted"); err != nil {
		t.Fatal(err)
	}
	// Enlisting again is the remedy.
	alice.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
	alice.command(t, ctx, "yes", "You are enlisted")
}
