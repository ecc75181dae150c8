package database_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/provider"
)

func TestSigningKeysRoundTrip(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := upgraded(t, raw).ProviderKeys()
		if stored := must(keys.SigningKeys(ctx)); len(stored) != 0 {
			t.Fatalf("%d keys out of nothing", len(stored))
		}
		want := provider.StoredKey{
			ID: "first", State: provider.KeyActive, PKCS8: []byte("private"),
			Created: time.Unix(1_760_000_000, 1), Published: time.Unix(1_760_000_001, 2),
		}
		check(t, keys.AddFirstKey(ctx, want))
		check(t, keys.AddFirstKey(ctx, provider.StoredKey{ID: "second", PKCS8: []byte("other")})) // too late
		stored := must(keys.SigningKeys(ctx))
		if len(stored) != 1 {
			t.Fatalf("%d keys are stored", len(stored))
		}
		got := stored[0]
		if got.ID != want.ID || got.State != want.State || !bytes.Equal(got.PKCS8, want.PKCS8) ||
			!got.Created.Equal(want.Created) || !got.Published.Equal(want.Published) {
			t.Error("the key came back changed")
		}
	})
}

func TestKeysOfEveryStateAreReturnedNewestFirst(t *testing.T) {
	ctx := context.Background()
	raw := openSQLite(t, "")
	keys := upgraded(t, raw).ProviderKeys()
	check(t, keys.AddFirstKey(ctx, provider.StoredKey{ID: "old", PKCS8: []byte("x"), Created: time.Unix(1, 0)}))
	_, err := raw.Exec(ctx, "UPDATE postern_provider_key SET state = 'retired'")
	check(t, err)
	check(t, keys.AddFirstKey(ctx, provider.StoredKey{ID: "new", PKCS8: []byte("y"), Created: time.Unix(2, 0)}))
	stored := must(keys.SigningKeys(ctx))
	if len(stored) != 2 || stored[0].ID != "new" || stored[0].State != provider.KeyActive ||
		stored[1].ID != "old" || stored[1].State != provider.KeyRetired {
		t.Errorf("got %d keys in another order or state", len(stored))
	}
}

// TestTwoProcessesMakeOneFirstKey starts real processes on one database file and lets them go at the same moment.
func TestTwoProcessesMakeOneFirstKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "postern.db")
	raw := openSQLite(t, path)
	db := upgraded(t, raw)
	const processes = 3
	children := make([]*child, processes)
	for i := range children {
		children[i] = startChild(t, childFirstKey, path)
		children[i].expect(t, "ready")
	}
	for _, one := range children {
		check(t, one.stdin.Close()) // go
	}
	kids := map[string]bool{}
	for _, one := range children {
		kids[one.line(t)] = true
		check(t, one.process.Wait())
	}
	stored := must(db.ProviderKeys().SigningKeys(context.Background()))
	if len(stored) != 1 || len(kids) != 1 || !kids[stored[0].ID] {
		t.Errorf("%d processes use the keys %v, %d are stored", processes, kids, len(stored))
	}
}

// runFirstKey is what the child process does.
func runFirstKey(path string, stdin io.Reader, say func(string)) error {
	raw, err := database.Open(context.Background(), "sqlite", path, zerolog.Nop())
	if err != nil {
		return err
	}
	defer raw.Close()
	keys := database.New(raw, testKey, zerolog.Nop()).ProviderKeys()
	say("ready")
	if _, err = io.Copy(io.Discard, stdin); err != nil {
		return err
	}
	// What New leaves in the store is what it signs with; see provider's own tests.
	_, err = provider.New(context.Background(), provider.Options{
		Issuer: "https://partner.example.org", Domain: "example.org", Keys: keys, Log: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	stored, err := keys.SigningKeys(context.Background())
	if err != nil {
		return err
	}
	say(stored[0].ID)
	return nil
}
