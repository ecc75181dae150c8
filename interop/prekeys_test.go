package interop_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// keyServer answers the requests about prekeys and keeps what was uploaded.
type keyServer struct {
	uploads chan *waBinary.Node
	refuse  atomic.Bool
}

func newKeyServer() *keyServer { return &keyServer{uploads: make(chan *waBinary.Node, 10)} }

func (k *keyServer) answer(iq *waBinary.Node) *waBinary.Node {
	switch {
	case iq.Attrs["xmlns"] != "encrypt":
		return nil
	case childOf(iq, "count") != nil:
		return nil // see peer.login
	case iq.Attrs["type"] == "set":
		refuse := k.refuse.Load()
		k.uploads <- iq
		if refuse {
			return &waBinary.Node{Tag: "iq", Attrs: waBinary.Attrs{"id": iq.Attrs["id"], "type": "error"}, Content: []waBinary.Node{
				{Tag: "error", Attrs: waBinary.Attrs{"code": 503}},
			}}
		}
		return result(iq)
	}
	return nil
}

func (k *keyServer) next(t *testing.T) *waBinary.Node {
	t.Helper()
	select {
	case iq := <-k.uploads:
		return iq
	case <-time.After(patience):
		t.Fatal("nothing was uploaded")
		return nil
	}
}

// markingStore tells when keys were marked as uploaded.
type markingStore struct {
	interop.Store
	marked chan uint32
}

func (s *markingStore) MarkPreKeysUploaded(ctx context.Context, upTo uint32) error {
	err := s.Store.MarkPreKeysUploaded(ctx, upTo)
	s.marked <- upTo
	return err
}

func uploadedIDs(iq *waBinary.Node) (ids []string) {
	for _, key := range childOf(iq, "list").GetChildren() {
		ids = append(ids, fmt.Sprintf("%x", childOf(&key, "id").Content))
	}
	return ids
}

func TestPreKeysAreToppedUp(t *testing.T) {
	p := newPeer(t)
	server := newKeyServer()
	p.count = 3
	p.answerAlso(server.answer)
	marked := make(chan uint32, 9)
	s := newSubject(t, p, func(o *interop.Options) { o.Store = &markingStore{newStore(), marked} })
	s.Start()
	l := p.login()
	iq := server.next(t)
	ids := uploadedIDs(iq)
	if len(ids) != 47 || ids[0] != "000001" || ids[46] != "00002f" {
		t.Errorf("got %d keys, %v", len(ids), ids)
	}
	identity := s.options.Account.Keys.Identity.Pub
	if got, _ := childOf(iq, "identity").Content.([]byte); string(got) != string(identity[:]) {
		t.Error("another identity key")
	}
	if got, _ := childOf(iq, "registration").Content.([]byte); len(got) != 4 {
		t.Errorf("registration id of %d bytes", len(got))
	}
	checkSignedPreKey(t, childOf(iq, "skey"), identity)

	l.sync()
	low := waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "encrypt", "from": "s.whatsapp.net", "id": "N"}, Content: []waBinary.Node{
		{Tag: "count", Attrs: waBinary.Attrs{"value": 9}},
	}}
	server.refuse.Store(true)
	l.send(low)
	l.wantReceipt("ack", "N", "encrypt")
	refused := uploadedIDs(server.next(t))
	if len(refused) != 41 || refused[0] != "000030" {
		t.Errorf("got %d keys, from %s", len(refused), refused[0])
	}
	server.refuse.Store(false)
	l.send(low)
	l.wantReceipt("ack", "N", "encrypt")
	if again := uploadedIDs(server.next(t)); fmt.Sprint(again) != fmt.Sprint(refused) {
		t.Errorf("keys of an upload that failed are not used again: %v", again)
	}
	for _, want := range []uint32{0x2f, 0x58} {
		select {
		case upTo := <-marked:
			if upTo != want {
				t.Errorf("keys up to %x count as uploaded, want %x", upTo, want)
			}
		case <-time.After(patience):
			t.Fatal("keys do not count as uploaded")
		}
	}
	s.stop()
	if unsent, err := s.store.UnsentPreKeys(context.Background()); err != nil || len(unsent) != 0 {
		t.Errorf("%d keys count as not uploaded, %v", len(unsent), err)
	}
}

// TestAFloodOfNotificationsAboutPreKeysUploadsOnce, and once more for what came meanwhile.
func TestAFloodOfNotificationsAboutPreKeysUploadsOnce(t *testing.T) {
	p := newPeer(t)
	marked := make(chan uint32, 20)
	s := newSubject(t, p, func(o *interop.Options) { o.Store = &markingStore{newStore(), marked} })
	s.Start()
	l := p.login()
	low := waBinary.Node{Tag: "notification", Attrs: waBinary.Attrs{"type": "encrypt", "from": "s.whatsapp.net", "id": "N"}, Content: []waBinary.Node{
		{Tag: "count", Attrs: waBinary.Attrs{"value": 0}},
	}}
	for range 20 {
		l.send(low)
	}
	var first *waBinary.Node
	for acks := 0; acks < 20; { // the upload comes among them
		switch node := <-l.inbox; node.Tag {
		case "ack":
			acks++
		case "iq":
			first = node
		}
	}
	if first == nil {
		first = l.next("iq")
	}
	l.send(*result(first))
	l.send(*result(l.next("iq")))
	<-marked
	<-marked
	for range 50 {
		l.sync() // finds it if the client asks for more
	}
	s.stop()
	l.checkSilence()
}

func checkSignedPreKey(t *testing.T, node *waBinary.Node, identity [32]byte) (id string) {
	t.Helper()
	value, _ := childOf(node, "value").Content.([]byte)
	signature, _ := childOf(node, "signature").Content.([]byte)
	if len(value) != 32 || len(signature) != 64 {
		t.Fatalf("signed prekey of %d bytes with a signature of %d", len(value), len(signature))
	}
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(identity), ecc.NewDjbECPublicKey([32]byte(value)).Serialize(), [64]byte(signature)) {
		t.Error("signature of the prekey is wrong")
	}
	return fmt.Sprintf("%x", childOf(node, "id").Content)
}

func TestSignedPreKeyIsRenewedOnAChannelThatStaysUp(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	server := newKeyServer()
	p.answerAlso(server.answer)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	s.Start()
	p.login()
	clock.waitArmed(t, 20*time.Second, 30*time.Second)
	clock.advance(7*24*time.Hour + time.Minute)
	checkSignedPreKey(t, childOf(server.next(t), "rotate", "skey"), s.options.Account.Keys.Identity.Pub)
	s.stop()
}

func TestSignedPreKeyIsRenewedWeekly(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	server := newKeyServer()
	p.answerAlso(server.answer)
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	bob := newContact(t, bobJID, 1)
	old := bob.message(s, "with the first key") // on its way for weeks
	for week := range 8 {
		s.Start()
		l := p.login()
		if week == 0 {
			l.sync()
			select {
			case <-server.uploads:
				t.Error("a fresh key was renewed")
			default:
			}
		} else {
			iq := server.next(t)
			id := checkSignedPreKey(t, childOf(iq, "rotate", "skey"), s.options.Account.Keys.Identity.Pub)
			if want := fmt.Sprintf("%06x", week+1); id != want {
				t.Errorf("week %d: got key %s, want %s", week, id, want)
			}
		}
		if week == 4 {
			l.send(old)
			if got := waitFor[*interop.Message](s.events); got.Message.GetConversation() != "with the first key" {
				t.Errorf("got %q", got.Message.GetConversation())
			}
			l.next("receipt")
		}
		s.stop()
		clock.advance(7*24*time.Hour + time.Minute)
	}
	if key, err := s.store.LoadSignedPreKey(context.Background(), 1); err != nil || key != nil {
		t.Errorf("the first key is kept for ever: %v, %v", key, err)
	}
	if key, err := s.store.LoadSignedPreKey(context.Background(), 3); err != nil || key == nil {
		t.Errorf("a key of a few weeks is gone: %v", err)
	}
}
