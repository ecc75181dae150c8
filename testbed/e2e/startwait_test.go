package e2e_test

import (
	"strings"
	"testing"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestACommandWaitsForTheConnectionAfterAStart: who asks for a chat while the bridge is still connecting gets the chat, and not the answer
// that the gatekeeper cannot be reached.
func TestACommandWaitsForTheConnectionAfterAStart(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	s.Gatekeeper.Halt()
	defer s.Gatekeeper.Continue()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	mark := alice.Mark()
	alice.writes(t, ctx, alice.Management, "start-chat "+bob.Phone)
	waitLog(t, ctx, s, "mx_command=start-chat")
	s.Gatekeeper.Continue()
	answer := must(alice.WaitAfter(ctx, mark, "the answer", matrixuser.MessageIn(alice.Management, s.Bot(), "")))(t)
	if body := answer.Content.AsMessage().Body; !strings.Contains(body, "chat with") {
		t.Errorf("the answer is %q", body)
	}
}
