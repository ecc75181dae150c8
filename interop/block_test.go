package interop_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

func blockItem(jid types.JID) waBinary.Node {
	return waBinary.Node{Tag: "item", Attrs: waBinary.Attrs{"jid": jid}}
}

func TestBlocklistIsReadAndChanged(t *testing.T) {
	_, s, l := started(t)
	bobPhone := types.NewADJID(bobJID.User, 0, 3)
	group := types.NewJID("1-2", types.GroupServer)
	var asked []string
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] != "blocklist" {
			return nil
		}
		asked = append(asked, iq.Attrs["type"].(string))
		if item := childOf(iq, "item"); item != nil {
			if item.Attrs["jid"] != bobJID {
				t.Errorf("item is %s", item.String())
			}
			asked = append(asked, item.Attrs["action"].(string))
		}
		return result(iq, waBinary.Node{Tag: "list", Content: []waBinary.Node{
			blockItem(bobPhone), blockItem(bobJID), blockItem(group), {Tag: "item"}, {Tag: "other", Attrs: waBinary.Attrs{"jid": carolJID}}, blockItem(carolJID),
		}})
	})
	ctx := context.Background()
	want := []types.JID{bobJID, carolJID}
	if list, err := s.Blocklist(ctx); err != nil || !slices.Equal(list, want) {
		t.Errorf("got %v, %v", list, err)
	}
	for _, blocked := range []bool{true, false} {
		if list, err := s.SetBlocked(ctx, bobPhone, blocked); err != nil || !slices.Equal(list, want) {
			t.Errorf("got %v, %v", list, err)
		}
	}
	if !slices.Equal(asked, []string{"get", "set", "block", "set", "unblock"}) {
		t.Errorf("asked %v", asked)
	}
	if _, err := s.SetBlocked(ctx, group, true); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("got %v", err)
	}
}

func TestBlocklistIsBounded(t *testing.T) {
	var items []waBinary.Node
	for i := range 5000 {
		items = append(items, blockItem(types.NewJID(strconv.Itoa(1000000+i), types.DefaultUserServer)))
	}
	if list := interop.ParseBlocklist(&waBinary.Node{Tag: "list", Content: items}); len(list) != 4096 {
		t.Errorf("%d contacts", len(list))
	}
}

func TestBlocklistRefusals(t *testing.T) {
	_, s, l := started(t)
	code := 404
	l.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		if iq.Attrs["xmlns"] != "blocklist" {
			return nil
		} else if code == 0 {
			return result(iq)
		}
		refusal := result(iq, waBinary.Node{Tag: "error", Attrs: waBinary.Attrs{"code": code}})
		refusal.Attrs["type"] = "error"
		return refusal
	})
	if _, err := s.SetBlocked(context.Background(), bobJID, true); !errors.Is(err, interop.ErrUnknownContact) {
		t.Errorf("got %v", err)
	}
	code = 0
	if list, err := s.Blocklist(context.Background()); err == nil {
		t.Errorf("an answer without a list is taken for %v", list)
	}
}

func TestChangedBlocklistIsTold(t *testing.T) {
	_, s, l := started(t)
	l.send(waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "account_sync", "from": aliceJID, "id": "N"}, Content: []waBinary.Node{
		{Tag: "blocklist", Attrs: waBinary.Attrs{"action": "modify"}},
	}})
	l.wantReceipt("ack", "N", "account_sync")
	waitFor[*interop.BlocklistChanged](s.events)
}

// silence makes a client that a contact learns nothing of while the flag is set.
func silence(on *atomic.Bool) func(*interop.Options) {
	return func(options *interop.Options) {
		options.Answers = func(_ context.Context, contact types.JID) (interop.Answers, error) {
			if on.Load() && contact == bobJID {
				return interop.AnswerNothing, nil
			}
			return interop.AnswerAll, nil
		}
	}
}

func TestSilencedContactLearnsNothing(t *testing.T) {
	var on atomic.Bool
	_, s, l := started(t, silence(&on))
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	l.answerAlso(answers(bob, carol))
	s.exchange(l, bob, "OUT")
	on.Store(true)
	l.send(bob.messageWithID(s, "A", "hello", false))
	waitFor[*interop.Message](s.events) // the handler has it
	l.wantReceipt("ack", "A", "")
	broken := bob.messageWithID(s, "B", "broken", false)
	broken.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("no ciphertext")}}
	l.send(broken)
	waitFor[*interop.Undecryptable](s.events)
	l.wantReceipt("ack", "B", "") // and no retry receipt
	l.send(retryReceipt(bob.devices[0], "OUT", 1, true))
	l.wantReceipt("ack", "OUT", "retry") // and no message
	l.send(carol.messageWithID(s, "C", "hello", true))
	waitFor[*interop.Message](s.events)
	l.wantReceipt("receipt", "C", "") // others do
	on.Store(false)
	l.send(bob.messageWithID(s, "D", "hello", false))
	waitFor[*interop.Message](s.events)
	l.wantReceipt("receipt", "D", "")
}

func TestAContactIsNotAnsweredWhileTheStoreIsInTrouble(t *testing.T) {
	var fails atomic.Bool
	p, s, l := started(t, func(options *interop.Options) {
		options.Answers = func(context.Context, types.JID) (interop.Answers, error) {
			if fails.Load() {
				return interop.AnswerAll, errStoreDown
			}
			return interop.AnswerNothing, nil
		}
	})
	bob := newContact(t, bobJID, 1)
	message := bob.messageWithID(s, "A", "hello", true)
	fails.Store(true)
	l.send(message)
	waitFor[*interop.Message](s.events)
	l.waitClosed() // neither a receipt nor an ack
	fails.Store(false)
	l = p.login()
	l.send(message)
	l.wantReceipt("ack", "A", "")
}

func FuzzBlocklist(f *testing.F) {
	for _, seed := range []string{"", "4915112345678@s.whatsapp.net", "1-2@interop", "130455123456789:4@lid", "x@g.us", "@", "1@s.whatsapp.net 1:2@s.whatsapp.net"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		jid, err := types.ParseJID(text)
		if err != nil {
			return
		}
		for _, contact := range interop.ParseBlocklist(&waBinary.Node{Tag: "list", Content: []waBinary.Node{blockItem(jid), blockItem(jid)}}) {
			if contact.Server == types.GroupServer || contact.Device != 0 || contact != jid.ToNonAD() {
				t.Errorf("%q became %q", text, contact)
			}
		}
	})
}
