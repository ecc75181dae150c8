package state_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/gatekeeper/state"
	"postern/interop/wire"
)

var (
	bob   = types.NewJID("4915112345678", types.DefaultUserServer)
	bob2  = types.JID{User: bob.User, Server: bob.Server, Device: 2}
	alice = types.JID{User: "10853634039893", Integrator: 1, Server: types.InteropServer}
)

func open(t testing.TB, path string) *state.State {
	t.Helper()
	s, err := state.Open(context.Background(), path, dbutil.NoopLogger)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withUsers returns a state with Bob's two devices and Alice's one, closed at the end of the test.
func withUsers(t testing.TB) *state.State {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "gatekeeper.db"))
	t.Cleanup(func() { _ = s.Close() })
	addUsers(t, s)
	return s
}

func addUsers(t testing.TB, s *state.State) {
	t.Helper()
	ctx := context.Background()
	for _, account := range []*state.Account{{JID: bob, Name: "Bob", ThirdParty: true}, {JID: alice, UserVisibleID: "@alice:example.org"}} {
		if err := s.AddAccount(ctx, account); err != nil {
			t.Fatal(err)
		}
	}
	for _, jid := range []types.JID{bob, bob2, alice} {
		if err := s.AddDevice(ctx, &state.Device{JID: jid, Noise: [32]byte{byte(jid.Device), 1}}, false); err != nil {
			t.Fatal(err)
		}
	}
}

func letter(id string, to types.JID) *state.Mail {
	return &state.Mail{Device: to, Class: "message", ID: id, Sender: alice, Stanza: []byte("x" + id), Stored: time.Now().Unix(), Once: true}
}

// remove takes the mail with that class and id out of the device's mailbox.
func remove(t testing.TB, s *state.State, device types.JID, class, id string) {
	t.Helper()
	mail, err := s.Mail(context.Background(), device, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mail {
		if m.Class == class && m.ID == id {
			s.Remove(m.Seq)
		}
	}
	if err = s.Store(); err != nil { // waits until the removal is committed, too
		t.Fatal(err)
	}
}

func ids(t testing.TB, s *state.State, device types.JID) (list []string) {
	t.Helper()
	mail, err := s.Mail(context.Background(), device, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mail {
		list = append(list, m.ID)
	}
	return list
}

func TestAccountIsFoundByJIDAliasAndUserVisibleID(t *testing.T) {
	s, ctx := withUsers(t), context.Background()
	account, err := s.Account(ctx, alice)
	if err != nil || !account.IsInterop() || account.LID.Server != types.HiddenUserServer {
		t.Fatalf("got %+v, %v", account, err)
	}
	for name, find := range map[string]func() (*state.Account, error){
		"alias":        func() (*state.Account, error) { return s.Account(ctx, account.LID) },
		"Matrix ID":    func() (*state.Account, error) { return s.AccountByUserVisibleID(ctx, 1, "@alice:example.org") },
		"device of it": func() (*state.Account, error) { return s.Account(ctx, alice) },
	} {
		if found, err := find(); err != nil || found.JID != alice {
			t.Errorf("by %s: got %+v, %v", name, found, err)
		}
	}
	if err := s.AddAccount(ctx, &state.Account{JID: bob}); !errors.Is(err, state.ErrExists) {
		t.Errorf("second account with the same JID: got %v", err)
	}
	if _, err := s.Account(ctx, types.NewJID("1", types.DefaultUserServer)); !errors.Is(err, state.ErrUnknown) {
		t.Errorf("unknown account: got %v", err)
	}
}

func TestMailKeepsOrderAcrossRestartUntilRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatekeeper.db")
	s := open(t, path)
	addUsers(t, s)
	for i := range 20 {
		if err := s.Store(letter(fmt.Sprint(i), bob), letter(fmt.Sprint(i), bob2)); err != nil {
			t.Fatal(err)
		}
	}
	remove(t, s, bob, "message", "0")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	defer s.Close()
	if got := ids(t, s, bob); len(got) != 19 || got[0] != "1" || got[18] != "19" {
		t.Errorf("Bob's first device waits for %v", got)
	}
	if got := ids(t, s, bob2); len(got) != 20 || got[0] != "0" {
		t.Errorf("Bob's second device waits for %v", got)
	}
}

func TestSameMessageIsStoredOncePerDeviceEvenAfterItWasFetched(t *testing.T) {
	s := withUsers(t)
	if err := s.Store(letter("A", bob)); err != nil {
		t.Fatal(err)
	}
	remove(t, s, bob, "message", "A")
	again := letter("A", bob)
	retry := letter("A", bob)
	retry.Once = false
	if err := s.Store(again, letter("A", bob2)); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, bob); len(got) != 0 {
		t.Errorf("doubled: %v", got)
	}
	if got := ids(t, s, bob2); len(got) != 1 {
		t.Errorf("other device got %v", got)
	}
	if err := s.Store(retry); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, bob); len(got) != 1 {
		t.Errorf("a retry must pass, got %v", got)
	}
}

func TestReceiverIsWokenAfterTheCommit(t *testing.T) {
	s := withUsers(t)
	wake, end := s.Subscribe(bob)
	defer end()
	if err := s.Store(letter("A", bob)); err != nil {
		t.Fatal(err)
	}
	<-wake
	if got := ids(t, s, bob); len(got) != 1 {
		t.Errorf("woken, but there is %v", got)
	}
	if err := s.Store(letter("B", types.JID{User: "nobody", Server: types.DefaultUserServer}), letter("B", bob)); err == nil {
		t.Error("mail for an unknown device was stored")
	}
	if got := ids(t, s, bob); len(got) != 1 {
		t.Errorf("half of a failed Store was kept: %v", got)
	}
}

func TestPreKeysAreHandedOutOnceAndGoWithTheIdentity(t *testing.T) {
	s, ctx := withUsers(t), context.Background()
	device := &state.Device{JID: bob, Identity: []byte("one"), SignedKey: []byte("k"), SignedSig: []byte("s")}
	keys := []state.PreKey{{ID: 1, Key: []byte("a")}, {ID: 2, Key: []byte("b")}}
	if changed, err := s.SetKeys(ctx, device, keys); err != nil || changed {
		t.Fatalf("first upload: changed %v, %v", changed, err)
	}
	for _, want := range []uint32{1, 2} {
		if key, err := s.TakePreKey(ctx, bob); err != nil || key == nil || key.ID != want {
			t.Fatalf("wanted prekey %d, got %+v, %v", want, key, err)
		}
	}
	if key, err := s.TakePreKey(ctx, bob); err != nil || key != nil {
		t.Fatalf("handed out twice: %+v, %v", key, err)
	}
	if _, err := s.SetKeys(ctx, device, keys); err != nil {
		t.Fatal(err)
	}
	device.Identity = []byte("two")
	if changed, err := s.SetKeys(ctx, device, keys[:1]); err != nil || !changed {
		t.Fatalf("new identity: changed %v, %v", changed, err)
	}
	if n, err := s.PreKeyCount(ctx, bob); err != nil || n != 1 {
		t.Errorf("%d prekeys, %v; those of the old identity should be gone", n, err)
	}
}

func TestPeopleWhoWroteToEachOtherAreContacts(t *testing.T) {
	s, ctx := withUsers(t), context.Background()
	receipt := letter("R", alice)
	receipt.Sender, receipt.Class, receipt.Once = bob2, "receipt", false
	if err := s.Store(receipt); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Contacts(ctx, bob); err != nil || len(got) != 0 {
		t.Errorf("before a message: %v, %v", got, err)
	}
	if err := s.Store(letter("A", bob2), letter("B", bob)); err != nil {
		t.Fatal(err)
	}
	for account, contact := range map[types.JID]types.JID{alice: bob, bob: alice} {
		if got, err := s.Contacts(ctx, account); err != nil || len(got) != 1 || got[0] != contact {
			t.Errorf("contacts of %v: %v, %v", account, got, err)
		}
	}
}

func TestExpiredMailAndOldNotesGo(t *testing.T) {
	s, ctx := withUsers(t), context.Background()
	old, fresh := letter("old", bob), letter("fresh", bob)
	old.Stored = fresh.Stored - state.Retention - 1
	if err := s.Store(old, fresh); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		s.Note(state.Saw{Kind: "message"})
	}
	if err := s.DropExpired(ctx, fresh.Stored-state.Retention); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, bob); len(got) != 1 || got[0] != "fresh" {
		t.Errorf("got %v", got)
	}
	if err := s.Store(old); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, bob); len(got) != 2 {
		t.Errorf("an id that expired must be new again, got %v", got)
	}
	if err := s.DropOldNotes(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if records, err := s.Noted(ctx, 0, 10); err != nil || len(records) != 2 || records[1].Seq != 5 {
		t.Errorf("got %+v, %v", records, err)
	}
}

func TestStoringAfterCloseFails(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "gatekeeper.db"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Store(letter("A", bob)); err == nil {
		t.Error("stored after the end")
	}
}

func TestRemovedAccountLeavesNothing(t *testing.T) {
	s, ctx := withUsers(t), context.Background()
	if err := s.Store(letter("A", bob)); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveAccount(ctx, bob); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, bob); len(got) != 0 {
		t.Errorf("mail left: %v", got)
	}
	if _, err := s.Device(ctx, bob2); !errors.Is(err, state.ErrUnknown) {
		t.Errorf("device left: %v", err)
	}
}

func TestNotesWakeTheirReader(t *testing.T) {
	s := withUsers(t)
	change := s.NotedChange()
	s.Note(state.Saw{Kind: "message", From: wire.FormatJID(alice), Enc: []string{"pkmsg"}, Size: 90})
	<-change
	records, err := s.Noted(context.Background(), 0, 10)
	if err != nil || len(records) != 1 || records[0].Size != 90 || records[0].Seq != 1 {
		t.Errorf("got %+v, %v", records, err)
	}
}

func BenchmarkStoreByEightSenders(b *testing.B) {
	s := withUsers(b)
	b.SetParallelism(4) // of two cores: eight
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mail := letter("A", bob)
			mail.Once = false
			if err := s.Store(mail); err != nil {
				b.Error(err)
			}
		}
	})
}
