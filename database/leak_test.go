package database_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
	"postern/provider"
)

// TestNoSecretReachesDiskOrLog writes one of everything and then reads the bytes of every file and of a log at its most
// talkative.
func TestNoSecretReachesDiskOrLog(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	raw := openSQLite(t, filepath.Join(dir, "postern.db"))
	var logged bytes.Buffer
	log := zerolog.New(&logged).Level(zerolog.TraceLevel)
	raw.Log = dbutil.ZeroLogger(log, dbutil.ZeroLogSettings{TraceLogAllQueries: true})
	keyFile := filepath.Join(dir, "secret.key")
	key := must(database.LoadSecretKey(ctx, raw, database.SecretKeySource{File: keyFile, Create: true}))
	secrets := map[string][]byte{"secret key": must(hex.DecodeString(strings.TrimSpace(string(must(os.ReadFile(keyFile))))))}
	db := database.New(raw, key, log)
	check(t, db.Upgrade(ctx))
	writeSecrets(t, db, secrets)

	// While it is open, with a write-ahead log, and again when all is in the main file.
	scanForSecrets(t, dir, "postern.db-wal", secrets)
	check(t, raw.Close())
	scanForSecrets(t, dir, "postern.db", secrets)

	if !bytes.Contains(logged.Bytes(), []byte("INSERT INTO postern_session")) {
		t.Error("the log is not as talkative as this test needs")
	}
	for name, secret := range secrets {
		if form := findSecret(logged.Bytes(), secret); form != "" {
			t.Errorf("%s is in the log as %s", name, form)
		}
	}
}

// writeSecrets stores one of everything and notes under names what must not show.
func writeSecrets(t *testing.T, db *database.Database, secrets map[string][]byte) {
	t.Helper()
	ctx := context.Background()
	secret := func(name string) []byte {
		value := []byte(rand.Text() + rand.Text())
		secrets[name] = value
		return value
	}
	alice := enlistment()
	check(t, db.Enlistments().Create(ctx, alice))
	secrets["noise key"] = alice.Keys.Noise.Priv[:]
	secrets["identity key"] = alice.Keys.Identity.Priv[:]
	secrets["first signed prekey"] = alice.Keys.SignedPreKey.Priv[:]

	store := db.AccountStore(alice.Account)
	preKey := interop.PreKey{ID: 1, KeyPair: interop.NewKeyPair()}
	secrets["prekey"] = preKey.Priv[:]
	check(t, store.AddPreKeys(ctx, []interop.PreKey{preKey}, false))
	signed := interop.SignedPreKey{PreKey: interop.PreKey{ID: 2, KeyPair: interop.NewKeyPair()}}
	secrets["signed prekey"] = signed.Priv[:]
	check(t, store.AddSignedPreKey(ctx, signed))
	check(t, store.SaveSession(ctx, bob, secret("session")))
	check(t, store.PutReceived(ctx, [32]byte{1}, secret("received text")))
	check(t, store.PutReceived(ctx, [32]byte{2}, secret("delivered text")))
	check(t, store.MarkDelivered(ctx, [32]byte{2}))
	for id, state := range map[string]interop.OutgoingState{
		"pending": interop.OutgoingPending, "sent": interop.OutgoingSent, "failed": interop.OutgoingFailed,
	} {
		_, err := store.Enqueue(ctx, interop.Outgoing{ID: id, Chat: aliceJID, Plaintext: secret(id + " text")})
		check(t, err)
		switch state {
		case interop.OutgoingSent:
			check(t, store.SetOutgoingSent(ctx, id, nil))
		case interop.OutgoingFailed:
			check(t, store.SetOutgoingFailed(ctx, id, ""))
		}
	}
	for _, id := range []string{"draft", "completed"} {
		_, err := store.Enqueue(ctx, interop.Outgoing{ID: id, Chat: aliceJID, Plaintext: secret(id), Draft: true})
		check(t, err)
	}
	check(t, store.CompleteOutgoing(ctx, "completed", secret("completed text")))
	check(t, db.Unfetched(alice.Account).PutUnfetched(ctx, "unfetched", secret("unfetched message")))
	must(db.Contacts(alice.Account).Ask(ctx, aliceJID))
	check(t, db.Kept(alice.Account).Put(ctx, aliceJID, "kept", secret("kept message"), true))
	check(t, db.KV().Set(ctx, "sync", secret("value of the bridge")))
	check(t, db.RoomKeys().Put(ctx, []database.RoomKey{{User: "@alice:example.org", Device: "A", Session: "1", Key: secret("room key")}}, 9))

	_, err := provider.New(ctx, provider.Options{
		Issuer: "https://partner.example.org", Domain: "example.org", Keys: db.ProviderKeys(), Log: zerolog.Nop(),
	})
	check(t, err)
	private := must(x509.ParsePKCS8PrivateKey(must(db.ProviderKeys().SigningKeys(ctx))[0].PKCS8)).(*rsa.PrivateKey)
	secrets["RSA exponent"] = private.D.Bytes()
	secrets["RSA prime"] = private.Primes[0].Bytes()
	secrets["other RSA prime"] = private.Primes[1].Bytes()
}

// scanForSecrets reads every file but the key's. wantFile must be one of them and hold what is allowed in the clear, or
// the scan looks in the wrong place.
func scanForSecrets(t *testing.T, dir, wantFile string, secrets map[string][]byte) {
	t.Helper()
	for _, entry := range must(os.ReadDir(dir)) {
		if entry.Name() == "secret.key" {
			continue
		}
		content := must(os.ReadFile(filepath.Join(dir, entry.Name())))
		for name, secret := range secrets {
			if form := findSecret(content, secret); form != "" {
				t.Errorf("%s is in %s as %s", name, entry.Name(), form)
			}
		}
		if entry.Name() == wantFile {
			wantFile = ""
			if !bytes.Contains(content, []byte(":example.org")) {
				t.Errorf("%s holds no Matrix ID: nothing is in it", entry.Name())
			}
		}
	}
	if wantFile != "" {
		t.Errorf("there is no %s", wantFile)
	}
}

// findSecret looks for a secret as it is and in the usual encodings, and names the one that it found.
func findSecret(content, secret []byte) string {
	if bytes.Contains(content, secret) {
		return "plain bytes"
	}
	if bytes.Contains(bytes.ToLower(content), []byte(hex.EncodeToString(secret))) {
		return "hex"
	}
	// Base64 looks different at each offset from a multiple of three. The first and last characters depend on neighbours.
	for offset := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), secret...))
		if core := text[4 : len(text)-4]; bytes.Contains(content, []byte(core)) {
			return "base64"
		}
	}
	return ""
}
