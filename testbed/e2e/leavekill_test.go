package e2e_test

import (
	"strings"
	"testing"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestTheBridgeIsKilledAtEachStepOfLeaving: the next start finishes it. The gatekeeper has forgotten the user, nothing is left in the
// database, and the end of the chat was told once. See TestLeavingSurvivesKillsAndOutages for a gatekeeper that is not told yet.
func TestTheBridgeIsKilledAtEachStepOfLeaving(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	bob := newContact(t, ctx, s, "Bob", 1)
	for _, test := range []struct{ name, write string }{
		{"the wish is not stored", "UPDATE ON postern_enlistment WHEN NEW.state = 'leaving'"},
		{"that the gatekeeper knows is not stored", "UPDATE ON postern_enlistment WHEN NEW.told <> OLD.told"},
		{"the room is left, and the chat still there", "DELETE ON portal"},
		{"the login is there", "DELETE ON user_login"},
		{"the sessions are there", "DELETE ON postern_session"},
		{"the enlistment is there", "DELETE ON postern_enlistment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice := newEnlisted(t, ctx, s, "alice")
			room := chatted(t, ctx, s, alice, bob)
			mark := alice.Mark()
			killAt(t, ctx, s, test.write, func() { alice.writes(t, ctx, alice.Management, "logout") })
			if strings.Contains(test.write, "'leaving'") {
				// The wish is as good as never heard: the user got no answer and is as enlisted as before.
				if !alice.isKnown(t, ctx) {
					t.Error("the gatekeeper was told before the wish was stored")
				}
				tells(t, ctx, bob, alice, unique("still-there"))
				alice.writes(t, ctx, alice.Management, "logout")
			}
			if _, err := alice.WaitAfter(ctx, mark, "the end", matrixuser.NoticeIn(alice.Management, s.Bot(), "You have left")); err != nil {
				t.Fatal(err)
			}
			if alice.isKnown(t, ctx) {
				t.Error("the gatekeeper still knows the user")
			}
			ended := 0
			for _, evt := range alice.Since(0) {
				if matrixuser.NoticeIn(room, s.Bot(), "This chat has ended")(evt) {
					ended++
				}
			}
			if ended != 1 {
				t.Errorf("the end of the chat was told %d times", ended)
			}
		})
	}
	restart(t, ctx, s)
	nothingLeft(t, ctx, s, strings.TrimPrefix(bob.Phone, "+"))
}
