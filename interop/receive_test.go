package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

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

func TestUndecryptableMessageIsAskedForUntilItComes(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "real text")
	damage := func(node waBinary.Node) waBinary.Node {
		enc := node.GetChildren()[0]
		data := slices.Clone(enc.Content.([]byte))
		data[len(data)-1] ^= 1
		enc.Content = data
		node.Content = []waBinary.Node{enc}
		return node
	}
	l.send(damage(node))
	receipt := l.wantReceipt("receipt", "IN1", "retry")
	retry := childOf(receipt, "retry")
	if retry == nil || retry.Attrs["count"] != "1" || retry.Attrs["id"] != "IN1" || retry.Attrs["v"] != "1" || childOf(receipt, "keys") != nil {
		t.Errorf("first retry receipt: %s", receipt.String())
	}
	if content, _ := childOf(receipt, "registration").Content.([]byte); len(content) != 4 {
		t.Errorf("registration id of %d bytes", len(content))
	}
	event := waitFor[*interop.Undecryptable](s.events)
	if event.ID != "IN1" || event.Chat != bobJID || event.Reason == nil || event.Hide {
		t.Errorf("got %+v", event)
	}
	l.wantReceipt("ack", "IN1", "")

	// The second one brings our keys, and is not told again.
	l.send(damage(node))
	receipt = l.wantReceipt("receipt", "IN1", "retry")
	if retry = childOf(receipt, "retry"); retry.Attrs["count"] != "2" || childOf(receipt, "keys") == nil {
		t.Fatalf("second retry receipt: %s", receipt.String())
	}
	l.wantReceipt("ack", "IN1", "")
	message, err := bob.devices[0].UseBundle(context.Background(), aliceJID, receipt, conversation("real text"))
	if err != nil {
		t.Fatal(err)
	}
	l.send(waBinary.Node{
		Tag: "message", Attrs: node.Attrs,
		Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind, "count": 2}, Content: message.Data}},
	})
	if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "real text" || got.ID != "IN1" {
		t.Errorf("got %+v", got)
	}
	l.wantReceipt("receipt", "IN1", "")

	// Each receipt has a one-time key of its own.
	l.send(damage(withAttrs(node, waBinary.Attrs{"id": "OTHER"})))
	l.wantReceipt("receipt", "OTHER", "retry")
	l.wantReceipt("ack", "OTHER", "")
	waitFor[*interop.Undecryptable](s.events)
	l.send(damage(withAttrs(node, waBinary.Attrs{"id": "OTHER"})))
	other := l.wantReceipt("receipt", "OTHER", "retry")
	l.wantReceipt("ack", "OTHER", "")
	if fmt.Sprint(childOf(other, "keys", "key", "id").Content) == fmt.Sprint(childOf(receipt, "keys", "key", "id").Content) {
		t.Error("the same one-time key in two receipts")
	}
	s.stop()
	s.events.none()
}

func TestRetriesAreLimited(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "x")
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("no ciphertext")}}
	for i := range 7 {
		l.send(node)
		if i < 5 {
			receipt := l.wantReceipt("receipt", "IN1", "retry")
			if got := childOf(receipt, "retry").Attrs["count"]; got != fmt.Sprint(i+1) {
				t.Errorf("retry %d has count %v", i+1, got)
			}
		}
		if i == 0 {
			waitFor[*interop.Undecryptable](s.events)
		}
		l.wantReceipt("ack", "IN1", "")
	}
	s.stop()
	s.events.none()

	// After a restart the message says itself how often it was sent.
	s.Start()
	l = p.login()
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg", "count": 4, "decrypt-fail": "hide"}, Content: []byte("no ciphertext")}}
	l.send(node)
	if got := childOf(l.wantReceipt("receipt", "IN1", "retry"), "retry").Attrs["count"]; got != "5" {
		t.Errorf("retry after a restart has count %v", got)
	}
	if event := waitFor[*interop.Undecryptable](s.events); !event.Hide {
		t.Error("the sender's wish to show nothing got lost")
	}
	l.wantReceipt("ack", "IN1", "")
}

func TestUndecryptableIsAcknowledgedAfterTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	node := bob.message(s, "x")
	node.Content = []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": "msg"}, Content: []byte("no ciphertext")}}
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		<-release
		return nil
	})
	l.send(node)
	l.wantReceipt("receipt", "IN1", "retry")
	l.send(node)
	l.wantReceipt("receipt", "IN1", "retry")
	l.sync()
	close(release)
	l.wantReceipt("ack", "IN1", "")
	waitFor[*interop.Undecryptable](s.events)
}

func TestContentThatIsNoMessage(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	for i, plaintext := range [][]byte{{0xff, 0xff, 0xff}, {}} {
		message, _, err := bob.devices[0].Encrypt(context.Background(), s.party, plaintext, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprint("BAD", i)
		l.send(waBinary.Node{
			Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": id, "t": 1},
			Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"v": 2, "type": message.Kind}, Content: message.Data}},
		})
		if len(plaintext) > 0 {
			waitFor[*interop.Undecryptable](s.events) // asking again would bring the same
		} else {
			waitFor[*interop.Message](s.events) // an empty protobuf is one
		}
		l.wantReceipt("receipt", id, "")
	}
}

func TestStanzasThatAreNoMessagesFromContacts(t *testing.T) {
	_, s, l := started(t)
	for i, attrs := range []waBinary.Attrs{
		{"from": types.NewJID("123-456", types.GroupServer), "participant": bobJID},
		{"from": types.ServerJID},
		{"from": types.StatusBroadcastJID},
		{"from": "not a jid"},
		{"from": aliceJID},
	} {
		attrs["id"] = fmt.Sprint("ODD", i)
		l.send(waBinary.Node{Tag: "message", Attrs: attrs, Content: []waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"type": "msg"}, Content: []byte("x")}}})
		l.wantReceipt("ack", attrs["id"], "")
	}
	for i, content := range []any{
		nil,
		[]byte("text"),
		[]waBinary.Node{{Tag: "enc"}},
		[]waBinary.Node{{Tag: "enc", Attrs: waBinary.Attrs{"type": "skmsg"}, Content: []byte("x")}},
	} {
		id := fmt.Sprint("EMPTY", i)
		l.send(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": id}, Content: content})
		l.wantReceipt("ack", id, "")
	}
	l.send(waBinary.Node{Tag: "message", Attrs: waBinary.Attrs{"from": bobJID, "id": "WITHHELD"}, Content: []waBinary.Node{{Tag: "unavailable"}}})
	waitFor[*interop.Undecryptable](s.events)
	l.wantReceipt("ack", "WITHHELD", "")
	s.stop()
	s.events.none()
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

// TestFloodIsBounded sends more than may wait while the handler hangs.
func TestFloodIsBounded(t *testing.T) {
	p, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	release := make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		if _, ok := event.(*interop.Message); ok {
			<-release
		}
		return nil
	})
	const count = 4200
	nodes := make([]waBinary.Node, count)
	for i := range nodes {
		nodes[i] = bob.message(s, strconv.Itoa(i))
	}
	l.lax = true
	go func() {
		for _, node := range nodes {
			if l.conn.WriteNode(context.Background(), node) != nil {
				return
			}
		}
	}()
	l.waitClosed()
	select {
	case <-p.links:
		t.Error("connected again before the queues were empty")
	default:
	}
	close(release)
	l = p.login()
	for _, node := range nodes {
		l.send(node)
	}
	for i := range nodes {
		if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", got.Message.GetConversation(), i)
		}
		l.next("receipt")
	}
}

func TestStopWaitsForTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	entered, release := make(chan struct{}), make(chan struct{})
	s.events.intercept(func(_ context.Context, event interop.Event) error {
		close(entered)
		<-release
		return nil
	})
	l.send(bob.message(s, "one"))
	l.send(bob.message(s, "two"))
	<-entered
	stopped := make(chan struct{})
	go func() {
		s.stop()
		close(stopped)
	}()
	l.sync()
	select {
	case <-stopped:
		t.Error("stopped while the handler was at work")
	default:
	}
	close(release)
	l.wantReceipt("receipt", "IN1", "") // still goes out
	<-stopped
	waitFor[*interop.Message](s.events)
	s.events.none() // the second waits at the gatekeeper
}

func TestStopOutOfTimeCancelsTheHandler(t *testing.T) {
	_, s, l := started(t)
	bob := newContact(t, bobJID, 1)
	entered := make(chan struct{})
	s.events.intercept(func(ctx context.Context, event interop.Event) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	})
	l.send(bob.message(s, "one"))
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	s.stop()
}
