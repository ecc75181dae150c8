package database_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
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

func TestKeysGoThroughTheirStates(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := upgraded(t, raw).ProviderKeys()
		at := time.Unix(1_760_000_000, 5)
		check(t, keys.AddFirstKey(ctx, provider.StoredKey{ID: "one", PKCS8: []byte("x"), Created: at}))
		if err := keys.RotateKeys(ctx, "one", "two", at); !errors.Is(err, provider.ErrKeysChanged) {
			t.Errorf("rotated to nothing: %v", err)
		}
		check(t, keys.AddNextKey(ctx, provider.StoredKey{ID: "two", PKCS8: []byte("y"), Created: at.Add(1), Published: at.Add(2)}))
		if err := keys.AddNextKey(ctx, provider.StoredKey{ID: "three", PKCS8: []byte("z")}); !errors.Is(err, provider.ErrNextKeyExists) {
			t.Errorf("a second next key: %v", err)
		}
		for _, wrong := range [][2]string{{"two", "one"}, {"one", "one"}, {"zero", "two"}} {
			if err := keys.RotateKeys(ctx, wrong[0], wrong[1], at); !errors.Is(err, provider.ErrKeysChanged) {
				t.Errorf("rotated %v: %v", wrong, err)
			}
		}
		stored := must(keys.SigningKeys(ctx))
		if len(stored) != 2 || stored[0].State != provider.KeyNext || !stored[0].Published.Equal(at.Add(2)) ||
			stored[1].State != provider.KeyActive || !stored[1].Retired.IsZero() {
			t.Fatalf("before the rotation: %d keys", len(stored))
		}
		check(t, keys.RotateKeys(ctx, "one", "two", at.Add(3)))
		stored = must(keys.SigningKeys(ctx))
		if len(stored) != 2 || stored[0].State != provider.KeyActive || string(stored[0].PKCS8) != "y" ||
			stored[1].State != provider.KeyRetired || !stored[1].Retired.Equal(at.Add(3)) {
			t.Fatalf("after the rotation: %d keys", len(stored))
		}
		check(t, keys.RemoveRetiredKeys(ctx, at.Add(3)))
		if stored = must(keys.SigningKeys(ctx)); len(stored) != 2 {
			t.Errorf("removed too early: %d keys", len(stored))
		}
		check(t, keys.RemoveRetiredKeys(ctx, at.Add(4)))
		if stored = must(keys.SigningKeys(ctx)); len(stored) != 1 || stored[0].ID != "two" {
			t.Errorf("after the removal: %d keys", len(stored))
		}
	})
}

func TestOneOfManyRotatesAndMakes(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := upgraded(t, raw).ProviderKeys()
		check(t, keys.AddFirstKey(ctx, provider.StoredKey{ID: "one", PKCS8: []byte("x")}))
		atOnce := func(what string, want error, do func(i int) error) {
			var group sync.WaitGroup
			results := make([]error, 6)
			for i := range results {
				group.Go(func() { results[i] = do(i) })
			}
			group.Wait()
			won := 0
			for _, err := range results {
				if err == nil {
					won++
				} else if !errors.Is(err, want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if won != 1 {
				t.Errorf("%d of %d could %s", won, len(results), what)
			}
		}
		atOnce("make", provider.ErrNextKeyExists, func(i int) error {
			return keys.AddNextKey(ctx, provider.StoredKey{ID: fmt.Sprint("next ", i), PKCS8: []byte("y")})
		})
		var next string
		for _, key := range must(keys.SigningKeys(ctx)) {
			if key.State == provider.KeyNext {
				next = key.ID
			}
		}
		atOnce("rotate", provider.ErrKeysChanged, func(int) error { return keys.RotateKeys(ctx, "one", next, time.Now()) })
	})
}

// TestTwoPartnerServersRotateOnOneDatabase: the second was started before the keys changed, and never again.
func TestTwoPartnerServersRotateOnOneDatabase(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		keys := upgraded(t, raw).ProviderKeys()
		at := time.Unix(1_760_000_000, 0)
		now := func() time.Time { return at }
		start := func() *provider.Provider {
			return must(provider.New(ctx, provider.Options{
				Issuer: "https://partner.example.org", Domain: "example.org", Keys: keys, Log: zerolog.Nop(), Now: now,
				Audiences: []provider.Audience{{Name: "whatsapp", Integrator: 1}},
			}))
		}
		servers := []*provider.Provider{start(), start()}
		published := func(want int) {
			t.Helper()
			for i, server := range servers {
				w := httptest.NewRecorder()
				server.Handler().ServeHTTP(w, httptest.NewRequest("GET", provider.JWKSPath, nil))
				if n := strings.Count(w.Body.String(), `"kid"`); n != want {
					t.Errorf("server %d publishes %d keys, want %d", i, n, want)
				}
			}
		}
		signedBy := func(kid string) {
			t.Helper()
			for i, server := range servers {
				token := must(server.Token(ctx, "@alice:example.org", "whatsapp"))
				header := must(base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0]))
				if !strings.Contains(string(header), kid) {
					t.Errorf("server %d signs with %s, want %s", i, header, kid)
				}
			}
		}
		first := must(keys.SigningKeys(ctx))[0].ID
		next := must(provider.MakeNextKey(ctx, keys, now)).ID
		at = at.Add(time.Minute)
		published(2)
		signedBy(first)
		at = at.Add(provider.KeyLead)
		_, _, err := provider.RotateKeys(ctx, keys, now)
		check(t, err)
		at = at.Add(time.Minute)
		signedBy(next)
		published(2)
		at = at.Add(provider.KeyTail)
		signedBy(next)
		published(1)
		if stored := must(keys.SigningKeys(ctx)); len(stored) != 1 || stored[0].ID != next {
			t.Errorf("%d keys are stored at the end", len(stored))
		}
	})
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
