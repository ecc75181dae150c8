package e2e_test

import (
	"context"
	"errors"
	"testing"

	"postern/database"
	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

// saysYes agrees to what the bot explains, and does not wait for what comes of it. It returns the mark from before.
func (u *bridgeUser) saysYes(t *testing.T, ctx context.Context) record.Mark {
	t.Helper()
	u.command(t, ctx, "login "+stack.GatekeeperID, "if you agree")
	mark := u.Mark()
	u.writes(t, ctx, u.Management, "yes")
	return mark
}

// isEnlisted waits until the bot says so, and writes to the contact and back, which needs both sides to agree on the keys.
func (u *bridgeUser) isEnlisted(t *testing.T, ctx context.Context, mark record.Mark, contact *stack.Contact) {
	t.Helper()
	if _, err := u.WaitAfter(ctx, mark, "welcome", matrixuser.MessageIn(u.Management, u.stack.Bot(), "You are enlisted")); err != nil {
		t.Fatal(err)
	}
	u.canChat(t, ctx, contact)
}

func (u *bridgeUser) canChat(t *testing.T, ctx context.Context, contact *stack.Contact) {
	t.Helper()
	u.Address = must(u.stack.Gatekeeper.AliasOf(ctx, u.ID().String()))(t)
	chatted(t, ctx, u.stack, u, contact)
}

// isKnown tells whether the gatekeeper knows the user.
func (u *bridgeUser) isKnown(t *testing.T, ctx context.Context) bool {
	t.Helper()
	_, err := u.stack.Gatekeeper.Account(ctx, u.ID().String())
	if err != nil && !errors.Is(err, sandbox.ErrControl) {
		t.Fatal(err)
	}
	return err == nil
}

// TestTheGatekeeperFailsWhileUsersEnlist: each fault is told in words, and after it the same user enlists.
func TestTheGatekeeperFailsWhileUsersEnlist(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	bob := newContact(t, ctx, s, "Bob", 1)
	answers := func(fault sandbox.AnswerFault) func() error {
		return func() error { return s.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteEnlist, fault, 1) }
	}
	reason := func(reason string) func() error {
		return func() error { return s.Gatekeeper.RefuseEnlistments(ctx, reason, 1) }
	}
	for name, test := range map[string]struct {
		fault func() error
		words string
		known bool // the gatekeeper did what it was asked for
	}{
		"out of order":    {answers(sandbox.AnswerError), "could not be reached", false},
		"nonsense":        {answers(sandbox.AnswerRubbish), "could not be reached", false},
		"broken off":      {answers(sandbox.AnswerCut), "could not be reached", true},
		"unavailable":     {reason("temporarily_unavailable"), "cannot enlist anyone at the moment", false},
		"unknown reason":  {reason("wrong_moon"), `the reason "wrong_moon"`, false},
		"known as foul":   {reason("bad_signature"), "That is a fault of this bridge", false},
		"hostile reasons": {reason("<b>\u202e\n"), `the reason "<b>\u202e\n"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			alice := newUser(t, ctx, s, "alice")
			if err := test.fault(); err != nil {
				t.Fatal(err)
			}
			mark := alice.saysYes(t, ctx)
			if _, err := alice.WaitAfter(ctx, mark, "what is wrong", matrixuser.MessageIn(alice.Management, s.Bot(), test.words)); err != nil {
				t.Fatal(err)
			}
			if known := alice.isKnown(t, ctx); known != test.known {
				t.Errorf("the gatekeeper knows the user: %v", known)
			}
			alice.isEnlisted(t, ctx, alice.saysYes(t, ctx), bob)
		})
	}
	t.Run("slow", func(t *testing.T) {
		alice := newUser(t, ctx, s, "alice")
		if err := s.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteEnlist, sandbox.AnswerSlow, 1); err != nil {
			t.Fatal(err)
		}
		mark := alice.saysYes(t, ctx)
		openBridgeDatabase(t, ctx, s).waitState(t, ctx, alice.ID(), database.Enlisting)
		newEnlisted(t, ctx, s, "carol").canChat(t, ctx, bob) // nobody else is held up by it
		if alice.isKnown(t, ctx) {
			t.Error("the gatekeeper was not slow")
		}
		if err := s.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteEnlist, sandbox.AnswerNoFault, 0); err != nil {
			t.Fatal(err)
		}
		alice.isEnlisted(t, ctx, mark, bob)
	})
}
