package interop_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
)

var carolJID = types.NewJID("49301234567", types.DefaultUserServer)

func TestMessageArrives(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := withAttrs(bob.message(s, "hello"), waBinary.Attrs{"t": 1_760_000_000, "offline": 0})
	l.send(node)
	got := waitFor[*interop.Message](s.events)
	if got.Message.GetConversation() != "hello" || got.Chat != bobJID || got.Sender != bobJID || got.ID != "IN1" ||
		got.PushName != "Bob" || got.Timestamp.Unix() != 1_760_000_000 || !got.Offline {
		t.Errorf("got %+v", got)
	}
	receipt := l.wantReceipt("receipt", "IN1", "")
	if receipt.Attrs["to"] != bobJID {
		t.Errorf("receipt goes to %v", receipt.Attrs["to"])
	}
}

func TestMessageFromADeviceIsInTheContactsChat(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 3)
	bob.devices = bob.devices[2:]
	l.send(bob.message(s, "from the tablet"))
	got := waitFor[*interop.Message](s.events)
	if got.Chat != bobJID || got.Sender.Device != 2 {
		t.Errorf("got chat %v, sender %v", got.Chat, got.Sender)
	}
	if to := l.wantReceipt("receipt", "IN1", "").Attrs["to"]; to != got.Sender {
		t.Errorf("receipt goes to %v", to)
	}
}

// TestReceiptComesAfterTheHandler is the promise that nothing is lost: until the handler has a message, the gatekeeper
// keeps it.
func TestReceiptComesAfterTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	calls := make(chan chan error)
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.Message); !ok {
			return nil
		}
		verdict := make(chan error)
		calls <- verdict
		return <-verdict
	})
	l.send(bob.message(s, "one"))
	l.send(bob.message(s, "two"))
	for range 3 {
		verdict := <-calls
		l.sync() // the client has read everything, and sent nothing
		verdict <- errors.New("homeserver is away")
	}
	verdict := <-calls
	l.sync()
	verdict <- nil
	l.wantReceipt("receipt", "IN1", "")
	(<-calls) <- nil
	l.wantReceipt("receipt", "IN2", "")
	for _, want := range []string{"one", "two"} { // in order, each once
		if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != want {
			t.Errorf("got %q, want %q", got.Message.GetConversation(), want)
		}
	}
	s.events.none()
}

func TestChatsAreInOrderAndSideBySide(t *testing.T) {
	_, s, l := started(t)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if message, ok := event.(*interop.Message); ok && message.Chat == bobJID {
			<-release
		}
		return nil
	})
	for i := range 5 {
		l.send(bob.message(s, fmt.Sprint(i)))
		l.send(carol.message(s, fmt.Sprint(i)))
	}
	for i := range 5 { // not held up by Bob's
		got := waitFor[*interop.Message](s.events)
		if got.Chat != carolJID || got.Message.GetConversation() != fmt.Sprint(i) {
			t.Errorf("got %s in %s", got.Message.GetConversation(), got.Chat)
		}
		l.next("receipt")
	}
	close(release)
	for i := range 5 {
		if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != fmt.Sprint(i) {
			t.Errorf("got %s, want %d", got.Message.GetConversation(), i)
		}
		l.next("receipt")
	}
}

func TestRedeliveryWhileTheHandlerIsAtWork(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.Message); ok {
			once.Do(func() { close(entered) })
			<-release
		}
		return nil
	})
	node := bob.message(s, "once")
	l.send(node)
	<-entered
	l.send(node)
	l.sync()
	l.cut()
	l = p.login()
	l.send(node)
	l.sync()
	close(release)
	waitFor[*interop.Message](s.events)
	l.wantReceipt("receipt", "IN1", "")
	l.wantReceipt("receipt", "IN1", "") // it came again, so it may have been for that
	l.send(node)
	l.wantReceipt("receipt", "IN1", "")
	s.stop()
	s.events.none()
}

func TestDeliveredMessageIsOnlyAcknowledgedAgain(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "once")
	l.send(node)
	waitFor[*interop.Message](s.events)
	l.next("receipt")
	l.cut()
	l = p.login()
	l.send(node)
	l.wantReceipt("receipt", "IN1", "")
	s.stop()
	s.events.none()
}

// TestKilledBetweenDecryptionAndDelivery is the case that a Signal message can be decrypted only once.
func TestKilledBetweenDecryptionAndDelivery(t *testing.T) {
	p, s, l := started(t, mortal)
	bob := newContact(t, bobJID, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	s.events.intercept(func(context.Context, interop.Event) error {
		close(entered)
		<-release
		return errStoreDown
	})
	first, second := bob.message(s, "first"), bob.message(s, "second")
	l.send(first)
	<-entered
	l.send(second)
	l.sync() // decrypted, but its turn has not come
	s.options.Store.(*mortalStore).die()
	close(release)
	s = s.kill()
	l.waitClosed()
	s.Start()
	l = p.login()
	l.send(first)
	l.send(second)
	for i, want := range []string{"first", "second"} {
		if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != want {
			t.Errorf("got %q, want %q", got.Message.GetConversation(), want)
		}
		l.wantReceipt("receipt", "IN"+strconv.Itoa(i+1), "")
	}
}

func TestKilledBetweenDeliveryAndReceipt(t *testing.T) {
	p, s, l := started(t, mortal)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "text")
	l.send(node)
	waitFor[*interop.Message](s.events)
	l.next("receipt") // and suppose it got lost
	s = s.kill()
	s.Start()
	l = p.login()
	l.send(node)
	l.wantReceipt("receipt", "IN1", "")
	s.stop()
	s.events.none()
}

func TestStoreInTroubleLosesNothing(t *testing.T) {
	store := &failingStore{Store: newStore()}
	p, s, l := started(t, func(o *interop.Options) { o.Store = store })
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "text")
	store.failAt(2)
	l.send(node)
	l.waitClosed() // not taken for the message's fault
	l = p.login()
	l.send(node)
	if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "text" {
		t.Errorf("got %q", got.Message.GetConversation())
	}
	l.wantReceipt("receipt", "IN1", "")
}

func TestIdentityChangeComesBeforeTheMessage(t *testing.T) {
	p, s, l := started(t, mortal)
	bob := newContact(t, bobJID, 1)
	l.send(bob.message(s, "old phone"))
	waitFor[*interop.Message](s.events)
	l.next("receipt")
	bob.devices[0].Reinstall(newStore())
	node := bob.message(s, "new phone")
	s.events.intercept(func(_ context.Context, event interop.Event) error { return errStoreDown })
	l.send(node)
	l.sync()
	s = s.kill() // before anybody was told
	s.Start()
	l = p.login()
	l.send(node)
	if changed := waitFor[*interop.IdentityChanged](s.events); changed.Contact != bobJID {
		t.Errorf("got %+v", changed)
	}
	if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "new phone" {
		t.Errorf("got %q", got.Message.GetConversation())
	}
	l.next("receipt")
	l.send(bob.message(s, "again"))
	waitFor[*interop.Message](s.events)
	l.next("receipt")
}

func TestIdentityChangeIsNotMissed(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	l.send(bob.message(s, "old phone"))
	waitFor[*interop.Message](s.events)
	l.next("receipt")
	bob.devices[0].Reinstall(newStore())
	failures := 3
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.IdentityChanged); ok && failures > 0 {
			failures--
			return errors.New("homeserver is away")
		}
		return nil
	})
	l.send(bob.message(s, "new phone"))
	waitFor[*interop.IdentityChanged](s.events)
	waitFor[*interop.Message](s.events)
	l.next("receipt")
}

func TestOfflineDeliveredComesWhenAllWasHandled(t *testing.T) {
	p, s, l := started(t)
	bob, carol := newContact(t, bobJID, 1), newContact(t, carolJID, 1)
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if message, ok := event.(*interop.Message); ok && message.Chat == carolJID {
			<-release
		}
		return nil
	})
	end := waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline", Attrs: waBinary.Attrs{"count": 2}}}}
	l.send(waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline_preview", Attrs: waBinary.Attrs{"count": 2}}}})
	l.send(withAttrs(carol.message(s, "slow"), waBinary.Attrs{"offline": 0}))
	l.send(withAttrs(bob.message(s, "fast"), waBinary.Attrs{"offline": 1}))
	l.send(end)
	l.send(bob.message(s, "live"))
	waitFor[*interop.Message](s.events)
	waitFor[*interop.Message](s.events)
	l.sync2("receipt")
	close(release)
	waitFor[*interop.Message](s.events)
	if done := waitFor[*interop.OfflineDelivered](s.events); done.Count != 2 {
		t.Errorf("got %+v", done)
	}
	l.next("receipt")
	l.cut()
	l = p.login()
	l.send(waBinary.Node{Tag: "ib", Content: []waBinary.Node{{Tag: "offline", Attrs: waBinary.Attrs{"count": 0}}}})
	waitFor[*interop.OfflineDelivered](s.events)
}

// sync2 waits for two stanzas and then until the client has read everything.
func (l *link) sync2(tag string) {
	l.next(tag)
	l.next(tag)
	l.sync()
}
