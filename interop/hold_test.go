package interop_test

import (
	"context"
	"slices"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

func holding(options *interop.Options) {
	options.HoldOnNewKey = func(context.Context) (bool, error) { return true, nil }
}

// reinstall gives a contact's first device new keys, and has the gatekeeper say so.
func (l *link) reinstall(contact *contact) {
	l.t.Helper()
	contact.devices[0].Reinstall(newStore())
	contact.nextKey[contact.devices[0]] = 0
	l.send(waBinary.Node{
		Tag: "notification", Attrs: waBinary.Attrs{"type": "encrypt", "from": contact.jid, "id": "N"},
		Content: []waBinary.Node{{Tag: "identity"}},
	})
	l.wantReceipt("ack", "N", "encrypt")
}

// exchange sends one message, so that both sides have a session.
func (s *subject) exchange(l *link, contact *contact, id string) {
	s.t.Helper()
	s.send(contact.jid, id)
	node := l.next("message")
	contact.open(s, node, 0)
	l.ack(node, 0)
	s.wantResult(id, nil)
}

func (s *subject) agree(contact types.JID) {
	s.t.Helper()
	if err := s.Agree(context.Background(), contact); err != nil {
		s.t.Fatal(err)
	}
}

func (s *subject) wantHeldBack(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		if held := waitFor[*interop.HeldBack](s.events); held.ID != id || held.Ref != "ref of "+id {
			s.t.Errorf("got %+v, want %s", held, id)
		}
	}
}

func TestNothingIsSentUnderANewKeyBeforeTheUserAgrees(t *testing.T) {
	p, s, l := started(t, holding)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	p.answerAlso(answers(bob, carol))
	l.answerAlso(answers(bob, carol))
	s.exchange(l, bob, "A")
	l.reinstall(bob)
	s.send(bobJID, "B")
	if changed := waitFor[*interop.IdentityChanged](s.events); changed.Contact != bobJID {
		t.Errorf("got %+v", changed)
	}
	s.wantHeldBack("B")
	s.send(bobJID, "C")
	s.wantHeldBack("C")
	s.exchange(l, carol, "D") // others go on
	s.stop()
	s.Start() // a restart changes nothing
	l = p.login()
	s.wantHeldBack("B", "C")
	l.send(mailboxEmpty)
	waitFor[*interop.OfflineDelivered](s.events)
	s.waitIdle() // what waits for the user keeps nobody connected
	l.sync()
	s.agree(bobJID)
	for _, id := range []string{"B", "C"} {
		node := l.next("message")
		if got := bob.open(s, node, 0); got != "text of "+id {
			t.Errorf("got %q, want %s", got, id)
		}
		l.ack(node, 0)
		s.wantResult(id, nil)
	}
}

func TestAMessageUnderANewKeyHoldsTheAnswer(t *testing.T) {
	_, s, l := started(t, holding)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.exchange(l, bob, "A")
	bob.devices[0].Reinstall(newStore())
	l.send(bob.messageWithID(s, "IN", "hello", true))
	waitFor[*interop.IdentityChanged](s.events)
	waitFor[*interop.Message](s.events)
	l.wantReceipt("receipt", "IN", "")
	s.send(bobJID, "B")
	s.wantHeldBack("B")
	l.sync()
	s.agree(types.NewADJID(bobJID.User, 0, 3))
	node := l.next("message")
	l.ack(node, 0)
	s.wantResult("B", nil)
}

// A gatekeeper that makes up a device's keys must not get what was written for the old ones.
func TestARetryUnderANewKeyIsAnsweredOnlyWhenTheUserAgrees(t *testing.T) {
	p, s, l := started(t, holding)
	bob := newContact(t, bobJID, 1)
	p.answerAlso(answers(bob))
	l.answerAlso(answers(bob))
	s.exchange(l, bob, "A")
	bob.devices[0].Reinstall(newStore())
	receipt := retryReceipt(bob.devices[0], "A", 1, true)
	l.send(receipt)
	waitFor[*interop.IdentityChanged](s.events)
	s.send(bobJID, "B")
	s.wantHeldBack("B")
	l.sync() // nothing left, and the receipt was not acknowledged
	l.lax = true
	s.agree(bobJID)
	l.waitClosed()
	l = p.login()
	seen := []string{open(s, l, bob)}
	l.send(receipt)
	seen = append(seen, open(s, l, bob))
	l.wantReceipt("ack", "A", "retry")
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"text of A", "text of B"}) {
		t.Errorf("got %q", seen)
	}
	s.wantResult("B", nil)
}

func open(s *subject, l *link, contact *contact) string {
	s.t.Helper()
	node := l.next("message")
	if childOf(node, "enc") == nil { // a retry needs no ack
		l.ack(node, 0)
	}
	return contact.open(s, node, 0)
}

func TestWithoutTheSettingANewKeyHoldsNothing(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.exchange(l, bob, "A")
	l.reinstall(bob)
	s.send(bobJID, "B")
	l.ack(l.next("message"), 0)
	waitFor[*interop.IdentityChanged](s.events)
	s.wantResult("B", nil)
}

func TestIdentitiesAreThoseOfAllDevices(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 3)
	l.answerAlso(answers(bob))
	want := func() (keys [][32]byte) {
		for _, device := range bob.devices {
			keys = append(keys, device.Identity())
		}
		return keys
	}
	keys, err := s.Identities(context.Background(), bobJID)
	if err != nil || !slices.Equal(keys, want()) {
		t.Errorf("got %x, %v", keys, err)
	}
	l.reinstall(bob)
	keys, err = s.Identities(context.Background(), bobJID)
	if err != nil || !slices.Equal(keys, want()) {
		t.Errorf("after a change: got %x, %v", keys, err)
	}
	waitFor[*interop.IdentityChanged](s.events)
	s.exchange(l, bob, "A") // the sessions are those that messages go through
}
