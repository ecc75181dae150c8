package e2e_test

import (
	"testing"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestReachingOutOpensTheChatWhenTheOtherSideAgrees: even if the bridge was killed in between and the answer came meanwhile.
func TestReachingOutOpensTheChatWhenTheOtherSideAgrees(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, unique("Bob"), 1)
	if err := s.Gatekeeper.SetThirdParty(ctx, bob.Phone, false); err != nil {
		t.Fatal(err)
	}
	alice.command(t, ctx, "start-chat "+bob.Phone, "I have asked them")
	pings := must(s.Gatekeeper.Pings(ctx, bob.Phone))(t)
	if len(pings) != 1 || pings[0] != alice.ID().String() {
		t.Errorf("bob is asked by %v", pings)
	}
	alice.command(t, ctx, "start-chat "+bob.Phone, "not asked again")

	s.Bridge.Kill()
	if err := s.Gatekeeper.SetThirdParty(ctx, bob.Phone, true); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	alice.sees(t, ctx, "news", matrixuser.NoticeIn(alice.Management, s.Bot(), "accepts third-party chats now"))
	words := unique("hello")
	alice.writes(t, ctx, alice.startChat(t, ctx, bob.Phone), words)
	hears(t, ctx, bob, words)
	answer := unique("answer")
	tells(t, ctx, bob, alice, answer)
	alice.receives(t, ctx, answer)
}
