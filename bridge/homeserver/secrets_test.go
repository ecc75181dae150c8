package homeserver_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/bridge/homeserver"
)

// restart stops the daemon and starts it with a secret key. It returns what the start says.
func (s *stack) restart(t *testing.T, secret string) error {
	t.Helper()
	s.bridge.ExternallyManagedDB = true
	s.bridge.Stop()
	return s.tryStart(t, secret)
}

func TestBotsDeviceIsSignedOnce(t *testing.T) {
	s := newStack(t)
	if published := s.fake.made("POST", "/keys/device_signing/upload"); len(published) != 1 {
		t.Fatalf("keys were published %d times", len(published))
	}
	if !s.fake.isSigned(t, botUser, device) {
		t.Fatal("the device was not signed")
	}
	uploaded := len(s.fake.made("POST", "/keys/upload"))
	if err := s.restart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if published := s.fake.made("POST", "/keys/device_signing/upload"); len(published) != 1 {
		t.Error("a restart published the keys again")
	}
	if again := s.fake.made("POST", "/keys/upload"); len(again) != uploaded {
		t.Error("a restart published the device again")
	}
}

func TestLostDatabaseGetsADeviceOfTheSameIdentity(t *testing.T) {
	s := newStack(t)
	s.bridge.Stop()
	master := s.fake.masterKey(botUser)
	s.db, s.kv.values = openDatabase(t, filepath.Join(t.TempDir(), "new.db")), make(map[string][]byte)
	if err := s.tryStart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if published := s.fake.made("POST", "/keys/device_signing/upload"); len(published) != 1 || s.fake.masterKey(botUser) != master {
		t.Error("the bot has another identity than before")
	}
}

func TestKeysOfAnotherSecretThatCannotBeReplacedAreAnError(t *testing.T) {
	s := newStack(t)
	s.bridge.Stop()
	s.db, s.kv.values = openDatabase(t, filepath.Join(t.TempDir(), "new.db")), make(map[string][]byte)
	s.fake.setRefusal("/keys/device_signing/upload", 401, "M_FORBIDDEN")
	err := s.tryStart(t, "another secret")
	t.Cleanup(s.bridge.Stop)
	if !errors.Is(err, homeserver.ErrCrossSigning) || !strings.Contains(err.Error(), "restore the old secret key") {
		t.Errorf("error %v, want ErrCrossSigning and what to do", err)
	}
}

// TestNoKeyOfTheBotIsInTheDatabase looks for what must not be there in the bytes of its files.
func TestNoKeyOfTheBotIsInTheDatabase(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	if _, err := s.send(context.Background(), "one"); err != nil {
		t.Fatal(err)
	}
	needles := map[string][]byte{"access token": []byte("device-token"), "as_token": []byte(asTok)}
	for _, purpose := range []string{
		"matrix-cross-signing-master", "matrix-cross-signing-self-signing", "matrix-cross-signing-user-signing",
		"matrix-cross-signing-master/" + bob, "matrix-cross-signing-self-signing/" + bob, "matrix-cross-signing-user-signing/" + bob,
		"matrix-pickle-key", "matrix-transaction-id",
	} {
		secret := s.secrets(purpose)
		needles[purpose] = secret[:]
		needles[purpose+" in base64"] = []byte(base64.RawStdEncoding.EncodeToString(secret[:])[:40])
		needles[purpose+" in hex"] = []byte(hex.EncodeToString(secret[:]))
	}
	sessionKey, err := base64.RawStdEncoding.DecodeString(from.key)
	if err != nil {
		t.Fatal(err)
	}
	needles["Megolm session"] = sessionKey[5:37] // version and counter come first
	read := 0
	for _, path := range s.files(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		read += len(data)
		for name, needle := range needles {
			if bytes.Contains(data, needle) {
				t.Errorf("%s has the %s", filepath.Base(path), name)
			}
		}
	}
	if read < 1<<16 {
		t.Errorf("only %d bytes were searched", read)
	}
	for name, value := range s.kv.values {
		for what, needle := range needles {
			if bytes.Contains(value, needle) {
				t.Errorf("the value %s has the %s", name, what)
			}
		}
	}
}

// files returns the files of the database.
func (s *stack) files(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(s.path + "*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files at %s: %v", s.path, err)
	}
	return paths
}
