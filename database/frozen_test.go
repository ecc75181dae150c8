package database_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/database/upgrades"
	"postern/interop"
	"postern/provider"
)

// Frozen databases are those that a version of the schema left behind: testdata/vN.db, or vN.db.gz. They are never written
// again; later versions must be able to read what is in them. Up to version 7 they were made from the first by the steps.

var freeze = flag.String("freeze", "", "write a database of the present schema version to this path, for a new frozen test")

// frozenCopy returns a copy of a frozen database, which the test may change.
func frozenCopy(t testing.TB, version int) (path string) {
	t.Helper()
	name := fmt.Sprintf("v%d.db", version)
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if errors.Is(err, fs.ErrNotExist) {
		var packed *os.File
		if packed, err = os.Open(filepath.Join("testdata", name+".gz")); err != nil {
			t.Fatalf("no database of schema version %d is frozen: run this test with -run TestFreeze -freeze, and pack it: %v", version, err)
		}
		defer packed.Close()
		data, err = io.ReadAll(must(gzip.NewReader(packed)))
	}
	check(t, err)
	path = filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, data, 0o600))
	return path
}

// TestEveryFrozenVersionIsUpgradedAndRead upgrades the database of every version of the schema that there was, and reads all that
// it held.
func TestEveryFrozenVersionIsUpgradedAndRead(t *testing.T) {
	for version := 1; version <= len(upgrades.Table); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			raw := openSQLite(t, frozenCopy(t, version))
			var before int
			check(t, raw.QueryRow(context.Background(), "SELECT version FROM postern_version").Scan(&before))
			if before != version {
				t.Fatalf("the file has version %d", before)
			}
			checkFrozen(t, raw, version)
		})
	}
}

// checkFrozen upgrades a database, and looks for all that was in it when the version was frozen.
func checkFrozen(t *testing.T, raw *dbutil.Database, frozen int) {
	t.Helper()
	ctx := context.Background()
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
	pending := must(store.PendingMessages(ctx, 0, 1))
	if len(pending) != 1 || pending[0].Chat != aliceJID || string(pending[0].Plaintext) != "text" || pending[0].Draft {
		t.Error("the pending message came back changed")
	}
	if value := must(db.KV().Get(ctx, "sync")); !bytes.Equal(value, []byte("s1")) {
		t.Errorf("value %q", value)
	}
	if keys := must(db.ProviderKeys().SigningKeys(ctx)); !slices.ContainsFunc(keys, func(key provider.StoredKey) bool {
		return key.ID == "kid" && string(key.PKCS8) == "private"
	}) {
		t.Error("the signing key came back changed")
	}
	for _, addition := range additions {
		if addition.version <= frozen {
			addition.check(t, ctx, db, alice.Account)
		}
	}
}

// TestFreeze writes what TestEveryFrozenVersionIsUpgradedAndRead reads, if -freeze says where.
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
	for _, addition := range additions {
		addition.add(t, ctx, db, alice.Account)
	}
	check(t, raw.Close()) // moves the write-ahead log into the file
}
