package database_test

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"postern/database"
	"postern/database/upgrades"
	"postern/interop"
	"postern/provider"
)

// frozenV1 was written once by the first version of the schema, with -freeze, and is never written again: later versions
// must be able to read what is in it.
const frozenV1 = "testdata/v1.db"

var freeze = flag.String("freeze", "", "write a database of the present schema version to this path, for a new frozen test")

var frozenTime = time.Unix(1_760_000_000, 0)

func TestFrozenV1IsUpgradedAndRead(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "v1.db")
	check(t, os.WriteFile(path, must(os.ReadFile(frozenV1)), 0o600))
	raw := openSQLite(t, path)
	db := upgraded(t, raw)
	var version int
	check(t, raw.QueryRow(ctx, "SELECT version FROM postern_version").Scan(&version))
	if version != len(upgrades.Table) {
		t.Errorf("version is %d after the upgrade", version)
	}

	alice, err := db.Enlistments().Find(ctx, "whatsapp", "@alice:example.org")
	check(t, err)
	if alice.Login != "whatsapp_1" || alice.JID != aliceJID || alice.State != database.Enlisted || alice.ConsentVersion != 3 ||
		!alice.ConsentAt.Equal(frozenTime) || alice.Keys.RegistrationID != 4711 || alice.Keys.Noise.Priv[1] != 1 {
		t.Error("the enlistment came back changed")
	}
	store := db.AccountStore(alice.Account)
	if session := must(store.LoadSession(ctx, bob)); string(session) != "session" {
		t.Errorf("session %q", session)
	}
	if key, ok, err := store.LoadIdentity(ctx, bob); key != [32]byte{1} || !ok || err != nil {
		t.Errorf("identity %v, %t, %v", key, ok, err)
	}
	if key := must(store.LoadPreKey(ctx, 1)); key == nil || key.Priv != [32]byte{1} {
		t.Error("the prekey came back changed")
	}
	if key := must(store.LoadSignedPreKey(ctx, 0)); key == nil || key.ID != 1 {
		t.Error("the signed prekey came back changed")
	}
	if plaintext, ok, err := store.FindReceived(ctx, [32]byte{1}); string(plaintext) != "text" || !ok || err != nil {
		t.Errorf("received %q, %t, %v", plaintext, ok, err)
	}
	pending := must(store.PendingMessages(ctx, 0, 9))
	if len(pending) != 1 || pending[0].Chat != aliceJID || string(pending[0].Plaintext) != "text" || pending[0].Draft {
		t.Error("the pending message came back changed")
	}
	if value := must(db.KV().Get(ctx, "sync")); !bytes.Equal(value, []byte("s1")) {
		t.Errorf("value %q", value)
	}
	if keys := must(db.ProviderKeys().SigningKeys(ctx)); len(keys) != 1 || string(keys[0].PKCS8) != "private" {
		t.Error("the signing key came back changed")
	}
}

// TestFreeze writes what TestFrozenV1IsUpgradedAndRead reads, if -freeze says where.
func TestFreeze(t *testing.T) {
	ctx := context.Background()
	path := *freeze
	if path == "" {
		path = filepath.Join(t.TempDir(), "frozen.db") // so that the writing side keeps working
	}
	raw, err := database.Open(ctx, "sqlite", path, zerolog.Nop())
	check(t, err)
	db := upgraded(t, raw)
	alice := &database.Enlistment{
		Gatekeeper: "whatsapp", UserID: "@alice:example.org", ConsentVersion: 3, ConsentAt: frozenTime, Created: frozenTime,
		Keys: interop.NewKeys(),
	}
	alice.Keys.RegistrationID, alice.Keys.Noise.Priv[1] = 4711, 1
	check(t, db.Enlistments().Create(ctx, alice))
	check(t, db.Enlistments().MarkEnlisted(ctx, alice.Account, aliceJID, "whatsapp_1"))
	fill(t, db.AccountStore(alice.Account))
	check(t, db.KV().Set(ctx, "sync", []byte("s1")))
	check(t, db.ProviderKeys().AddFirstKey(ctx, provider.StoredKey{ID: "kid", PKCS8: []byte("private")}))
	check(t, raw.Close()) // moves the write-ahead log into the file
}
