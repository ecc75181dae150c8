package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"postern/interop"
)

var (
	phone = interop.Address{Server: "s.whatsapp.net", User: "4915112345678"}
	// moment is a whole second, since stores keep no fractions.
	moment = time.Unix(1_760_000_000, 0)
)

var sessionTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":           testSessionRoundTrip,
	"AddressesAreApart":   testAddressesAreApart,
	"DeleteKeepsIdentity": testDeleteSession,
	"UntoldIdentities":    testUntoldIdentities,
	"CallersOwnTheBytes":  testSessionOwnership,
	"LargeSession":        testLargeSession,
}

func testSessionRoundTrip(t *testing.T, store interop.Store) {
	ctx := context.Background()
	if session := value[[]byte](t)(store.LoadSession(ctx, phone)); session != nil {
		t.Errorf("session out of nothing: %q", session)
	}
	must(t, store.SaveSession(ctx, phone, []byte{0, 1, 255}))
	equal(t, "session", string(value[[]byte](t)(store.LoadSession(ctx, phone))), "\x00\x01\xff")
	must(t, store.SaveSession(ctx, phone, []byte("second")))
	equal(t, "session after the second save", string(value[[]byte](t)(store.LoadSession(ctx, phone))), "second")

	_, found, err := store.LoadIdentity(ctx, phone)
	must(t, err)
	equal(t, "identity out of nothing", found, false)
	for _, first := range []byte{1, 2} {
		want := [32]byte{first, 31: 255}
		must(t, store.SaveIdentity(ctx, phone, want))
		got, found, err := store.LoadIdentity(ctx, phone)
		must(t, err)
		equal(t, "identity found", found, true)
		equal(t, "identity", got, want)
	}
}

func testAddressesAreApart(t *testing.T, store interop.Store) {
	ctx := context.Background()
	addresses := []interop.Address{
		phone,
		{Server: "s.whatsapp.net", User: "4915112345678", Device: 1},
		{Server: "s.whatsapp.net", User: "4915112345678", Device: 65535},
		{Server: "lid", User: "4915112345678"},
		{Server: "interop", Integrator: 1, User: "4915112345678"},
		{Server: "interop", Integrator: 11, User: "4915112345678"},
		{Server: "interop", Integrator: 1, User: "14915112345678"},
	}
	for i, address := range addresses {
		must(t, store.SaveSession(ctx, address, []byte{byte(i)}))
		must(t, store.SaveIdentity(ctx, address, [32]byte{byte(i)}))
	}
	for i, address := range addresses {
		equal(t, "session of "+address.String(), value[[]byte](t)(store.LoadSession(ctx, address))[0], byte(i))
		key, _, err := store.LoadIdentity(ctx, address)
		must(t, err)
		equal(t, "identity of "+address.String(), key[0], byte(i))
	}
}

func testDeleteSession(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.DeleteSession(ctx, phone)) // nothing there
	must(t, store.SaveSession(ctx, phone, []byte("session")))
	must(t, store.SaveIdentity(ctx, phone, [32]byte{1}))
	must(t, store.DeleteSession(ctx, phone))
	equal(t, "deleted session", string(value[[]byte](t)(store.LoadSession(ctx, phone))), "")
	_, found, err := store.LoadIdentity(ctx, phone)
	must(t, err)
	equal(t, "identity is still known", found, true)
}

func testSessionOwnership(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.SaveSession(ctx, phone, []byte("session")))
	loaded := value[[]byte](t)(store.LoadSession(ctx, phone))
	clear(loaded)
	equal(t, "session after the caller changed its copy", string(value[[]byte](t)(store.LoadSession(ctx, phone))), "session")
}

func testLargeSession(t *testing.T, store interop.Store) {
	ctx := context.Background()
	large := make([]byte, 1<<20)
	large[0], large[len(large)-1] = 1, 2
	must(t, store.SaveSession(ctx, phone, large))
	loaded := value[[]byte](t)(store.LoadSession(ctx, phone))
	if len(loaded) != 1<<20 || loaded[0] != 1 || loaded[len(loaded)-1] != 2 {
		t.Errorf("a session of 1 MiB came back as %d bytes", len(loaded))
	}
}

var preKeyTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":                testPreKeyRoundTrip,
	"LastIDDoesNotFall":        testLastPreKeyID,
	"UnsentUntilUploaded":      testUnsentPreKeys,
	"SentKeysAreNeverUploaded": testSentPreKeys,
	"SentKeysAreForgotten":     testPruneSentPreKeys,
}

// preKeys makes keys whose bytes tell them apart.
func preKeys(ids ...uint32) (keys []interop.PreKey) {
	for _, id := range ids {
		keys = append(keys, interop.PreKey{ID: id, KeyPair: interop.KeyPair{Pub: [32]byte{byte(id), 1}, Priv: [32]byte{byte(id), 2}}})
	}
	return keys
}

func preKeyIDs(keys []interop.PreKey) (ids [4]uint32) {
	for i, key := range keys {
		ids[i%len(ids)] = key.ID
	}
	return ids
}

func testPreKeyRoundTrip(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.AddPreKeys(ctx, preKeys(1, 2, 0xfffffe), false))
	for _, want := range preKeys(1, 2, 0xfffffe) {
		got := value[*interop.PreKey](t)(store.LoadPreKey(ctx, want.ID))
		if got == nil {
			t.Fatalf("prekey %d is not there", want.ID)
		}
		equal(t, "prekey", *got, want)
	}
	if key := value[*interop.PreKey](t)(store.LoadPreKey(ctx, 3)); key != nil {
		t.Errorf("prekey out of nothing: %d", key.ID)
	}
	must(t, store.RemovePreKey(ctx, 2))
	must(t, store.RemovePreKey(ctx, 2)) // the same message again
	if key := value[*interop.PreKey](t)(store.LoadPreKey(ctx, 2)); key != nil {
		t.Error("a used prekey is still there")
	}
}

func testLastPreKeyID(t *testing.T, store interop.Store) {
	ctx := context.Background()
	equal(t, "last id of an empty store", value[uint32](t)(store.LastPreKeyID(ctx)), 0)
	must(t, store.AddPreKeys(ctx, preKeys(1, 2, 3), false))
	equal(t, "last id", value[uint32](t)(store.LastPreKeyID(ctx)), 3)
	for id := range uint32(4) {
		must(t, store.RemovePreKey(ctx, id))
	}
	equal(t, "last id after all keys were used", value[uint32](t)(store.LastPreKeyID(ctx)), 3)
	must(t, store.AddPreKeys(ctx, preKeys(4), true))
	must(t, store.RemovePreKey(ctx, 4))
	equal(t, "last id after a key sent in a receipt", value[uint32](t)(store.LastPreKeyID(ctx)), 4)
}

func testUnsentPreKeys(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.AddPreKeys(ctx, preKeys(3, 1, 2), false))
	equal(t, "unsent", preKeyIDs(value[[]interop.PreKey](t)(store.UnsentPreKeys(ctx))), [4]uint32{1, 2, 3})
	equal(t, "unsent key holds its private half", value[[]interop.PreKey](t)(store.UnsentPreKeys(ctx))[0], preKeys(1)[0])
	must(t, store.MarkPreKeysUploaded(ctx, 2))
	equal(t, "unsent after two were uploaded", preKeyIDs(value[[]interop.PreKey](t)(store.UnsentPreKeys(ctx))), [4]uint32{3})
	must(t, store.RemovePreKey(ctx, 3))
	equal(t, "unsent after the last was used", len(value[[]interop.PreKey](t)(store.UnsentPreKeys(ctx))), 0)
	if value[*interop.PreKey](t)(store.LoadPreKey(ctx, 1)) == nil {
		t.Error("an uploaded key must stay until it is used")
	}
}

func testSentPreKeys(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.AddPreKeys(ctx, preKeys(1), false))
	must(t, store.AddPreKeys(ctx, preKeys(2), true))
	must(t, store.AddPreKeys(ctx, preKeys(3), false))
	equal(t, "unsent", preKeyIDs(value[[]interop.PreKey](t)(store.UnsentPreKeys(ctx))), [4]uint32{1, 3})
}

func testPruneSentPreKeys(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.AddPreKeys(ctx, preKeys(1), false))
	must(t, store.AddPreKeys(ctx, preKeys(2, 3, 4), true))
	must(t, store.AddPreKeys(ctx, preKeys(5), false))
	must(t, store.MarkPreKeysUploaded(ctx, 5))
	there := func(step string, want ...uint32) {
		t.Helper()
		var ids []uint32
		for id := range uint32(6) {
			if value[*interop.PreKey](t)(store.LoadPreKey(ctx, id)) != nil {
				ids = append(ids, id)
			}
		}
		equal(t, step, fmt.Sprint(ids), fmt.Sprint(want))
	}
	must(t, store.PruneSentPreKeys(ctx, 3, time.Unix(1, 0)))
	there("all are new and few", 1, 2, 3, 4, 5)
	must(t, store.PruneSentPreKeys(ctx, 2, time.Unix(1, 0)))
	there("one is too many", 1, 3, 4, 5)
	must(t, store.PruneSentPreKeys(ctx, 2, time.Now().Add(time.Hour)))
	there("all are old", 1, 5)
	equal(t, "last id", value[uint32](t)(store.LastPreKeyID(ctx)), 5)
}

var signedPreKeyTests = map[string]func(t *testing.T, store interop.Store){
	"RoundTrip":            testSignedPreKeyRoundTrip,
	"NewestIsNeverRemoved": testRemoveSignedPreKeys,
}

func signedPreKey(id uint32, created time.Time) interop.SignedPreKey {
	return interop.SignedPreKey{PreKey: preKeys(id)[0], Signature: [64]byte{byte(id), 63: 9}, Created: created}
}

func testSignedPreKeyRoundTrip(t *testing.T, store interop.Store) {
	ctx := context.Background()
	if key := value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, 0)); key != nil {
		t.Errorf("signed prekey out of nothing: %d", key.ID)
	}
	must(t, store.AddSignedPreKey(ctx, signedPreKey(2, moment)))
	must(t, store.AddSignedPreKey(ctx, signedPreKey(1, moment)))
	must(t, store.AddSignedPreKey(ctx, signedPreKey(1, moment))) // after a crash
	for id, wantID := range map[uint32]uint32{1: 1, 2: 2, 0: 2} {
		got := value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, id))
		if got == nil {
			t.Fatalf("signed prekey %d is not there", id)
		}
		want := signedPreKey(wantID, moment)
		equal(t, "signed prekey", got.PreKey, want.PreKey)
		equal(t, "signature", got.Signature, want.Signature)
		equal(t, "created", got.Created.Unix(), want.Created.Unix())
	}
	if key := value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, 3)); key != nil {
		t.Errorf("signed prekey out of nothing: %d", key.ID)
	}
}

func testRemoveSignedPreKeys(t *testing.T, store interop.Store) {
	ctx := context.Background()
	for id := range uint32(3) {
		must(t, store.AddSignedPreKey(ctx, signedPreKey(id+1, moment.Add(time.Duration(id)*time.Hour))))
	}
	must(t, store.RemoveSignedPreKeys(ctx, moment.Add(time.Hour))) // the second is not older than that
	equal(t, "first kept", value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, 1)) != nil, true)
	must(t, store.RemoveSignedPreKeys(ctx, moment.Add(time.Hour+time.Second)))
	for id, kept := range map[uint32]bool{1: false, 2: true, 3: true} {
		equal(t, "signed prekey kept", value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, id)) != nil, kept)
	}
	must(t, store.RemoveSignedPreKeys(ctx, moment.Add(24*time.Hour)))
	equal(t, "newest after everything else went", value[*interop.SignedPreKey](t)(store.LoadSignedPreKey(ctx, 0)).ID, 3)
}

func testUntoldIdentities(t *testing.T, store interop.Store) {
	ctx := context.Background()
	must(t, store.SetIdentityTold(ctx, phone, false)) // not known
	equal(t, "none", len(value[[]interop.Address](t)(store.UntoldIdentities(ctx))), 0)
	partner := interop.Address{Server: "interop", Integrator: 7, User: "1001", Device: 65535}
	must(t, store.SaveIdentity(ctx, phone, [32]byte{1}))
	must(t, store.SaveIdentity(ctx, partner, [32]byte{2}))
	equal(t, "told at first", len(value[[]interop.Address](t)(store.UntoldIdentities(ctx))), 0)
	must(t, store.SetIdentityTold(ctx, phone, false))
	must(t, store.SetIdentityTold(ctx, partner, false))
	must(t, store.SetIdentityTold(ctx, phone, true))
	untold := value[[]interop.Address](t)(store.UntoldIdentities(ctx))
	if len(untold) != 1 || untold[0] != partner {
		t.Errorf("got %v, want %v", untold, partner)
	}
}
