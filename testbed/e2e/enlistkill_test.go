package e2e_test

import (
	"testing"

	"postern/database"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

// TestTheBridgeIsKilledAtEachStepOfEnlisting: the next start finishes what was begun, with the gatekeeper's account of before if there
// was one, and both sides can talk. What was not begun is not known to anybody, and can be begun anew.
func TestTheBridgeIsKilledAtEachStepOfEnlisting(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	bob := newContact(t, ctx, s, "Bob", 1)

	t.Run("nothing is stored", func(t *testing.T) {
		alice := newUser(t, ctx, s, "alice")
		killAt(t, ctx, s, "INSERT ON postern_enlistment", func() { alice.saysYes(t, ctx) })
		if alice.isKnown(t, ctx) {
			t.Error("the gatekeeper was asked")
		}
		alice.isEnlisted(t, ctx, alice.saysYes(t, ctx), bob)
	})

	t.Run("the gatekeeper did not get to it", func(t *testing.T) {
		alice := newUser(t, ctx, s, "alice")
		if err := s.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteEnlist, sandbox.AnswerSlow, 1); err != nil {
			t.Fatal(err)
		}
		mark := alice.saysYes(t, ctx)
		openBridgeDatabase(t, ctx, s).waitState(t, ctx, alice.ID(), database.Enlisting)
		s.Bridge.Kill()
		if alice.isKnown(t, ctx) {
			t.Error("the gatekeeper was not slow")
		}
		if err := s.Gatekeeper.SpoilAnswers(ctx, sandbox.RouteEnlist, sandbox.AnswerNoFault, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		alice.isEnlisted(t, ctx, mark, bob)
	})

	for _, test := range []struct{ name, write string }{
		{"the answer is not stored", "UPDATE ON postern_enlistment WHEN NEW.state = 'enlisted' AND OLD.state <> 'enlisted'"},
		{"there is no login", "INSERT ON user_login"},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice := newUser(t, ctx, s, "alice")
			mark, after := alice.Mark(), lastSeen(t, ctx, s)
			var before string
			killAt(t, ctx, s, test.write, func() {
				alice.saysYes(t, ctx)
				saw := must(s.Gatekeeper.WaitSaw(ctx, after, "enlistment", isEnlistment))(t)
				before = saw.From
			})
			alice.isEnlisted(t, ctx, mark, bob)
			if now := must(s.Gatekeeper.Account(ctx, alice.ID().String()))(t); now.JID != before {
				t.Errorf("the gatekeeper knew the user as %s and now as %s", before, now.JID)
			}
		})
	}

	t.Run("the first connection", func(t *testing.T) {
		alice := newUser(t, ctx, s, "alice")
		killAt(t, ctx, s, "UPDATE ON postern_enlistment WHEN NEW.connected <> OLD.connected", func() { alice.saysYes(t, ctx) })
		alice.canChat(t, ctx, bob)
	})
}

func isEnlistment(record sandbox.Record) bool { return record.Kind == "enlist" }
