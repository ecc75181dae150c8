package homeserver_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// TestKeysComeAndGoAtOnce: a bridge whose database has one connection stopped for ever when a user's key came while another
// was shared.
func TestKeysComeAndGoAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	db := openDatabase(t, filepath.Join(t.TempDir(), "keys.db"))
	store, err := homeserver.NewCryptoStore(ctx, db, botUser)
	if err != nil {
		t.Fatal(err)
	}
	sender, session := olmSession(t)
	if err = store.AddSession(ctx, sender, session); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 200 {
				if sessions, err := store.GetSessions(ctx, sender); err != nil || len(sessions) != 1 {
					t.Errorf("%d sessions, error %v", len(sessions), err)
					return
				}
			}
		})
		wait.Go(func() {
			for range 200 {
				if latest, err := store.GetLatestSession(ctx, sender); err != nil || latest == nil {
					t.Errorf("no session, error %v", err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// olmSession returns a new session with a device, and the device's key.
func olmSession(t *testing.T) (id.SenderKey, *crypto.OlmSession) {
	t.Helper()
	us, them := crypto.NewOlmAccount(), crypto.NewOlmAccount()
	if err := them.Internal.GenOneTimeKeys(1); err != nil {
		t.Fatal(err)
	}
	keys, err := them.Internal.OneTimeKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		session, err := us.Internal.NewOutboundSession(them.IdentityKey(), key)
		if err != nil {
			t.Fatal(err)
		}
		return them.IdentityKey(), &crypto.OlmSession{Internal: session}
	}
	t.Fatal("the device has no one-time key")
	return "", nil
}
