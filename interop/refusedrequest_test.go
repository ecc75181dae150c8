package interop_test

import (
	"errors"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

// refusing refuses the whole of each request that names a contact, of the namespace.
func refusing(namespace string, contact types.JID, code int) func(iq *waBinary.Node) *waBinary.Node {
	return func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] != namespace {
			return nil
		}
		asked := childOf(iq, "usync", "list")
		if namespace == "encrypt" {
			asked = childOf(iq, "key")
		}
		if asked == nil {
			return nil
		}
		for _, user := range asked.GetChildren() {
			if jid, ok := user.Attrs["jid"].(types.JID); ok && jid.ToNonAD() == contact {
				reply := result(iq, waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": code, "text": "no"}})
				reply.Attrs["type"] = "error"
				return reply
			}
		}
		return nil
	}
}

// TestARequestThatIsRefusedForOneContactIsOfThatContactAlone: the gatekeeper refuses the whole request for several, for one of them.
func TestARequestThatIsRefusedForOneContactIsOfThatContactAlone(t *testing.T) {
	for _, namespace := range []string{"usync", "encrypt"} {
		t.Run(namespace, func(t *testing.T) {
			p := newPeer(t)
			s := newSubject(t, p)
			p.answerAlso(answers(newContact(t, bobJID, 1), newContact(t, carolJID, 1)))
			p.answerAlso(refusing(namespace, bobJID, 400))
			s.send(bobJID, "A") // before the client is connected, so that both are in one batch
			s.send(carolJID, "B")
			s.send(bobJID, "C")
			s.Start()
			l := p.login()
			l.ack(l.next("message"), 0)
			failed := make(map[string]error)
			for range 3 {
				result := waitFor[*interop.SendResult](s.events)
				failed[result.ID] = result.Err
			}
			var refusal *interop.StanzaError
			if failed["B"] != nil || !errors.As(failed["A"], &refusal) || refusal.Code != 400 || !errors.As(failed["C"], &refusal) {
				t.Errorf("got %v", failed)
			}
		})
	}
}

// TestAGatekeeperThatIsBusyFailsNoMessage refuses more often than a message is tried that is itself at fault.
func TestAGatekeeperThatIsBusyFailsNoMessage(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.answerAlso(answers(bob))
	s.send(bobJID, "A")
	for range 7 {
		l.ack(l.next("message"), 429)
	}
	l.ack(l.next("message"), 0)
	s.wantResult("A", nil)
}
