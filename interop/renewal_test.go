package interop_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"

	"postern/interop"
)

// TestASignedPreKeyThatWasNotUploadedIsUploadedAtTheNextLogin: the program may end between storing and uploading it, or the gatekeeper
// refuse it.
func TestASignedPreKeyThatWasNotUploadedIsUploadedAtTheNextLogin(t *testing.T) {
	clock := newFakeClock()
	p := newPeer(t)
	server := newKeyServer()
	p.answerAlso(server.answer)
	var refused atomic.Bool
	rotations := make(chan string, 9)
	p.answerAlso(func(iq *waBinary.Node) *waBinary.Node {
		key := childOf(iq, "rotate", "skey")
		if iq.Attrs["xmlns"] != "encrypt" || key == nil {
			return nil
		}
		rotations <- string(childOf(key, "id").Content.([]byte))
		reply := result(iq)
		if !refused.Swap(true) {
			reply.Attrs["type"] = "error"
			reply.Content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 503}}}
		}
		return reply
	})
	s := newSubject(t, p, func(o *interop.Options) { o.Clock = clock })
	clock.advance(7*24*time.Hour + time.Minute)
	for login, want := range []int{1, 1, 0} { // refused, taken, done
		s.Start()
		p.login().sync()
		s.stop()
		if len(rotations) != want {
			t.Fatalf("login %d: the signed prekey was uploaded %d times, want %d", login, len(rotations), want)
		}
		for range want {
			if id := <-rotations; id != "\x00\x00\x02" {
				t.Errorf("login %d: uploaded key %x", login, id)
			}
		}
	}
}

// TestASignedPreKeyFromTheFutureIsRenewed: a machine whose clock was a year ahead must not keep its key for a year.
func TestASignedPreKeyFromTheFutureIsRenewed(t *testing.T) {
	p := newPeer(t)
	server := newKeyServer()
	p.answerAlso(server.answer)
	s := newSubject(t, p, func(o *interop.Options) {
		o.Account.Keys.SignedPreKey.Created = time.Now().Add(365 * 24 * time.Hour)
	})
	s.Start()
	p.login()
	checkSignedPreKey(t, childOf(server.next(t), "rotate", "skey"), s.options.Account.Keys.Identity.Pub)
	s.stop()
}

func TestPreKeysOfRetryReceiptsAreForgotten(t *testing.T) {
	const most = 1000
	ctx := context.Background()
	p := newPeer(t)
	s := newSubject(t, p)
	keys := make([]interop.PreKey, most+1)
	for i := range keys {
		keys[i] = interop.PreKey{ID: uint32(i + 1)}
	}
	if err := s.store.AddPreKeys(ctx, keys, true); err != nil {
		t.Fatal(err)
	}
	s.Start()
	p.login()
	s.stop()
	oldest, _ := s.store.LoadPreKey(ctx, 1)
	second, _ := s.store.LoadPreKey(ctx, 2)
	if oldest != nil || second == nil {
		t.Errorf("the oldest is kept: %t, the one after it: %t", oldest != nil, second != nil)
	}
}
