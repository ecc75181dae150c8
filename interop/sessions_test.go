package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"go.mau.fi/libsignal/signalerror"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"postern/interop"
	"postern/interop/memstore"
)

var (
	aliceJID = types.JID{User: "1001", Server: types.InteropServer, Integrator: 7}
	bobJID   = types.NewJID("4915112345678", types.DefaultUserServer)
)

func newParties() (alice, bob *interop.Party) {
	return interop.NewParty(aliceJID, memstore.New(), 10), interop.NewParty(bobJID, memstore.New(), 10)
}

func conversation(text string) []byte {
	data, err := proto.Marshal(&waE2E.Message{Conversation: proto.String(text)})
	if err != nil {
		panic(err)
	}
	return data
}

func encrypt(t testing.TB, from, to *interop.Party, text string) interop.Ciphertext {
	t.Helper()
	message, _, err := from.Encrypt(context.Background(), to, conversation(text), 1, false)
	if err != nil {
		t.Fatalf("failed to encrypt %q: %v", text, err)
	}
	return message
}

func wantText(t testing.TB, at, from *interop.Party, message interop.Ciphertext, want string) {
	t.Helper()
	got, delivered, _, err := at.Decrypt(context.Background(), from, message)
	if err != nil {
		t.Fatalf("failed to decrypt %q: %v", want, err)
	} else if delivered {
		t.Fatalf("%q counts as delivered", want)
	} else if got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestSessionStartsAndTurns(t *testing.T) {
	alice, bob := newParties()
	first := encrypt(t, alice, bob, "first")
	second := encrypt(t, alice, bob, "second")
	if first.Kind != "pkmsg" || second.Kind != "pkmsg" {
		t.Errorf("messages before the first answer have the types %s, %s", first.Kind, second.Kind)
	}
	wantText(t, bob, alice, second, "second") // order does not matter
	wantText(t, bob, alice, first, "first")
	answer := encrypt(t, bob, alice, "answer")
	wantText(t, alice, bob, answer, "answer")
	for i := range 5 {
		for _, pair := range [][2]*interop.Party{{alice, bob}, {bob, alice}} {
			text := fmt.Sprintf("turn %d", i)
			message := encrypt(t, pair[0], pair[1], text)
			if message.Kind != "msg" {
				t.Errorf("established session sends %s", message.Kind)
			}
			wantText(t, pair[1], pair[0], message, text)
		}
		alice.Restart() // what is stored is all there is
	}
}

func TestSessionAgainstMessagesOutOfOrder(t *testing.T) {
	alice, bob := newParties()
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	wantText(t, alice, bob, encrypt(t, bob, alice, "turn"), "turn")
	const count = 200
	messages := make([]interop.Ciphertext, count)
	for i := range messages {
		messages[i] = encrypt(t, alice, bob, fmt.Sprint(i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n, i := range random.Perm(count) {
		wantText(t, bob, alice, messages[i], fmt.Sprint(i))
		if n%50 == 0 {
			bob.Restart()
		}
	}
}

func TestDecryptingTwiceGivesTheTextUntilDelivered(t *testing.T) {
	alice, bob := newParties()
	message := encrypt(t, alice, bob, "text")
	wantText(t, bob, alice, message, "text")
	bob.Restart() // killed between decryption and delivery
	wantText(t, bob, alice, message, "text")
	if err := bob.MarkDelivered(context.Background(), alice, message); err != nil {
		t.Fatal(err)
	}
	if _, delivered, _, err := bob.Decrypt(context.Background(), alice, message); err != nil || !delivered {
		t.Errorf("got delivered %t, error %v after the delivery", delivered, err)
	}
}

// TestFailedDecryptionChangesNothing sends damaged copies of every message first: libsignal changes a session before it
// checks a message, and none of that may stay.
func TestFailedDecryptionChangesNothing(t *testing.T) {
	alice, bob := newParties()
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 40 {
		from, to := alice, bob
		if i%3 == 2 {
			from, to = bob, alice
		}
		text := fmt.Sprint(i)
		message := encrypt(t, from, to, text)
		arrived := false
		for range 10 {
			damaged := interop.Ciphertext{Kind: message.Kind, Data: bytes.Clone(message.Data)}
			damaged.Data[random.IntN(len(damaged.Data))] ^= byte(1 + random.IntN(255))
			got, _, _, err := to.Decrypt(context.Background(), from, damaged)
			if err == nil && got != text {
				t.Fatalf("damaged message gave %q", got)
			}
			arrived = arrived || err == nil // some bits, such as half of the version, are not authenticated
		}
		for _, cut := range []int{0, 1, 5, len(message.Data) / 2} {
			damaged := interop.Ciphertext{Kind: message.Kind, Data: message.Data[:cut]}
			if _, _, _, err := to.Decrypt(context.Background(), from, damaged); err == nil || interop.IsStoreError(err) {
				t.Fatalf("message cut to %d bytes: got error %v", cut, err)
			}
		}
		if !arrived {
			wantText(t, to, from, message, text)
		}
	}
}

// TestOldStatesSurviveNewOnes starts a second session while messages of the first are on their way.
func TestOldStatesSurviveNewOnes(t *testing.T) {
	ctx := context.Background()
	alice, bob := newParties()
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	wantText(t, alice, bob, encrypt(t, bob, alice, "turn"), "turn")
	old := []interop.Ciphertext{encrypt(t, alice, bob, "old 0"), encrypt(t, alice, bob, "old 1")}
	fresh, _, err := alice.Encrypt(ctx, bob, conversation("new"), 2, true)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, bob, alice, fresh, "new")
	answer := encrypt(t, bob, alice, "answer in the new session")
	wantText(t, bob, alice, old[0], "old 0") // makes the old state the current one
	after := encrypt(t, alice, bob, "more in the new session")
	wantText(t, bob, alice, after, "more in the new session")
	wantText(t, bob, alice, old[1], "old 1")
	wantText(t, alice, bob, answer, "answer in the new session")
	for i := range 6 {
		text := fmt.Sprint(i)
		wantText(t, bob, alice, encrypt(t, alice, bob, text), text)
		wantText(t, alice, bob, encrypt(t, bob, alice, text), text)
	}
}

func TestChangedIdentityIsReportedOnce(t *testing.T) {
	ctx := context.Background()
	alice, bob := newParties()
	message := encrypt(t, alice, bob, "one")
	if _, _, changed, err := bob.Decrypt(ctx, alice, message); err != nil || changed {
		t.Fatalf("first use: changed %t, error %v", changed, err)
	}
	alice.Reinstall(memstore.New())
	message, _, err := alice.Encrypt(ctx, bob, conversation("two"), 2, false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // again after a crash, since nobody may have been told
		_, _, changed, err := bob.Decrypt(ctx, alice, message)
		if err != nil || !changed {
			t.Fatalf("new identity: changed %t, error %v", changed, err)
		}
		bob.Restart()
	}
	if _, _, changed, err := bob.Decrypt(ctx, alice, encrypt(t, alice, bob, "three")); err != nil || changed {
		t.Fatalf("next message: changed %t, error %v", changed, err)
	}

	bob.Reinstall(memstore.New())
	_, changed, err := alice.Encrypt(ctx, bob, conversation("four"), 3, true)
	if err != nil || !changed {
		t.Fatalf("sending to a changed identity: changed %t, error %v", changed, err)
	}
	bob.Reinstall(memstore.New())
	if _, changed, err = alice.Encrypt(ctx, bob, conversation("five"), 3, true); err != nil || !changed {
		t.Fatalf("sending to a changed identity: changed %t, error %v", changed, err)
	}
}

// TestIdentityKeyChangedInTransitIsIgnored changes the identity key that stands in a message of a session that exists.
func TestIdentityKeyChangedInTransitIsIgnored(t *testing.T) {
	alice, bob := newParties()
	wantText(t, bob, alice, encrypt(t, alice, bob, "one"), "one")
	for _, forge := range []bool{true, false} {
		message := encrypt(t, alice, bob, "two")
		if forge {
			own, other := alice.Identity(), interop.NewKeyPair().Pub
			if message.Kind != "pkmsg" || !bytes.Contains(message.Data, own[:]) {
				t.Fatal("no identity key in the message")
			}
			message.Data = bytes.Replace(message.Data, own[:], other[:], 1)
		}
		text, _, newIdentity, err := bob.Decrypt(context.Background(), alice, message)
		if err != nil || text != "two" || newIdentity {
			t.Errorf("forged %t: got %q, new identity %t, %v", forge, text, newIdentity, err)
		}
	}
}

func TestUsedPreKeyIsGone(t *testing.T) {
	ctx := context.Background()
	alice, bob := newParties()
	first := encrypt(t, alice, bob, "first")
	wantText(t, bob, alice, first, "first")
	carol := interop.NewParty(types.NewJID("49301234567", types.DefaultUserServer), memstore.New(), 10)
	defer func() {
		if recover() == nil {
			t.Error("a used prekey can be handed out again")
		}
	}()
	_, _, _ = carol.Encrypt(ctx, bob, conversation("second"), 1, false)
}

func TestReusedCounterIsToldApart(t *testing.T) {
	ctx := context.Background()
	store := memstore.New()
	alice := interop.NewParty(aliceJID, store, 10)
	bob := interop.NewParty(bobJID, memstore.New(), 10)
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	address := interop.AddressOf(bobJID)
	session, err := store.LoadSession(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, bob, alice, encrypt(t, alice, bob, "one"), "one")
	if err = store.SaveSession(ctx, address, session); err != nil { // a peer that loses its step
		t.Fatal(err)
	}
	alice.Restart()
	_, _, _, err = bob.Decrypt(ctx, alice, encrypt(t, alice, bob, "other"))
	if !errors.Is(err, signalerror.ErrOldCounter) {
		t.Errorf("got %v", err)
	}
}

func TestTooFarAhead(t *testing.T) {
	alice, bob := newParties()
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	var message interop.Ciphertext
	for range 2002 {
		message = encrypt(t, alice, bob, "skipped")
	}
	if _, _, _, err := bob.Decrypt(context.Background(), alice, message); !errors.Is(err, signalerror.ErrTooFarIntoFuture) {
		t.Errorf("got %v", err)
	}
}

// TestSkippedKeysAreBounded lets a contact skip thousands of messages in chain after chain.
func TestSkippedKeysAreBounded(t *testing.T) {
	ctx := context.Background()
	store := memstore.New()
	alice := interop.NewParty(aliceJID, memstore.New(), 10)
	bob := interop.NewParty(bobJID, store, 10)
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	for range 3 {
		for range 1500 {
			encrypt(t, alice, bob, "skipped")
		}
		wantText(t, bob, alice, encrypt(t, alice, bob, "last"), "last")
		wantText(t, alice, bob, encrypt(t, bob, alice, "turn"), "turn")
	}
	session, err := store.LoadSession(ctx, interop.AddressOf(aliceJID))
	if err != nil {
		t.Fatal(err)
	}
	if limit := 2000*100 + 4096; len(session) > limit {
		t.Errorf("session grew to %d bytes, limit %d", len(session), limit)
	}
	wantText(t, bob, alice, encrypt(t, alice, bob, "still works"), "still works")
}

// TestTwoWayLoadLosesNothing encrypts and decrypts on the same sessions at the same time. A step that is lost shows as a
// message that cannot be decrypted, a step that is repeated as a counter seen before.
//
// The stores run their transactions side by side, as a database may: nothing but the sessions' own locks is in the way.
func TestTwoWayLoadLosesNothing(t *testing.T) {
	const count = 500
	alice := interop.NewParty(aliceJID, looseStore{newStore()}, 10)
	bob := interop.NewParty(bobJID, looseStore{newStore()}, 10)
	wantText(t, bob, alice, encrypt(t, alice, bob, "start"), "start")
	wantText(t, alice, bob, encrypt(t, bob, alice, "turn"), "turn")
	var group sync.WaitGroup
	for _, pair := range [][2]*interop.Party{{alice, bob}, {bob, alice}} {
		from, to := pair[0], pair[1]
		channel := make(chan interop.Ciphertext, count)
		group.Go(func() {
			defer close(channel)
			for i := range count {
				message, _, err := from.Encrypt(context.Background(), to, conversation(fmt.Sprint(i)), 0, false)
				if err != nil {
					t.Errorf("message %d: %v", i, err)
					return
				}
				channel <- message
			}
		})
		group.Go(func() {
			i := 0
			for message := range channel {
				got, _, _, err := to.Decrypt(context.Background(), from, message)
				if err != nil || got != fmt.Sprint(i) {
					t.Errorf("message %d: got %q, error %v", i, got, err)
				}
				i++
			}
		})
	}
	group.Wait()
}

func TestStoreErrorIsNotTheMessagesFault(t *testing.T) {
	store := &failingStore{Store: memstore.New()}
	alice := interop.NewParty(aliceJID, memstore.New(), 10)
	bob := interop.NewParty(bobJID, store, 10)
	message := encrypt(t, alice, bob, "text")
	for n := 1; ; n++ {
		store.failAt(n)
		_, _, _, err := bob.Decrypt(context.Background(), alice, message)
		if err == nil {
			if n < 5 {
				t.Fatalf("only %d calls of the store", n)
			}
			break
		} else if !interop.IsStoreError(err) {
			t.Fatalf("store failing at call %d: got %v", n, err)
		}
	}
	store.failAt(0)
	wantText(t, bob, alice, message, "text")

	for n := 1; ; n++ {
		store.failAt(n)
		answer, _, err := bob.Encrypt(context.Background(), alice, conversation("answer"), 1, false)
		if err == nil {
			store.failAt(0)
			wantText(t, alice, bob, answer, "answer")
			break
		}
	}
	wantText(t, alice, bob, encrypt(t, bob, alice, "next"), "next")
}

func TestCacheIsBounded(t *testing.T) {
	bob := interop.NewParty(bobJID, memstore.New(), 200)
	for i := range 100 {
		jid := types.NewJID(fmt.Sprint(4915100000000+i), types.DefaultUserServer)
		sender := interop.NewParty(jid, memstore.New(), 1)
		message, _, err := sender.Encrypt(context.Background(), bob, conversation("x"), uint32(i+1), false)
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, bob, sender, message, "x")
	}
	if cached := bob.CachedSessions(); cached == 0 || cached > 32 {
		t.Errorf("%d sessions in memory", cached)
	}
}
