package interop_test

import (
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// TestAPingIsAnsweredAlsoToWhoWasAway: the gatekeeper keeps the answer, and the handler gets it until it took it.
func TestAPingIsAnsweredAlsoToWhoWasAway(t *testing.T) {
	s := newSandbox(t)
	alice := s.enlist("alice").start()
	const phone = "+4915100000000"
	carol := types.NewJID(phone[1:], types.DefaultUserServer)
	s.account(phone, "Carol")
	s.control("PATCH", "/accounts/"+phone, map[string]any{"third_party": false}, nil)
	if on, err := alice.Ping(context.Background(), carol); on || err != nil {
		t.Fatalf("on is %t, %v", on, err)
	}
	if _, err := alice.Ping(context.Background(), carol); !errors.Is(err, interop.ErrTooManyPings) {
		t.Errorf("the second ping: %v", err)
	}
	if _, err := alice.Ping(context.Background(), types.NewJID("4915100000099", types.DefaultUserServer)); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("a ping for nobody: %v", err)
	}
	alice.stop()
	if _, err := alice.Ping(context.Background(), carol); !errors.Is(err, interop.ErrNotConnected) {
		t.Errorf("a ping while away: %v", err)
	}
	s.control("PATCH", "/accounts/"+phone, map[string]any{"third_party": true}, nil)
	alice.renew()
	alice.start()
	if told := waitEvent[*interop.ContactReachable](alice); told.Contact != carol {
		t.Errorf("told of %s", told.Contact)
	}
}
