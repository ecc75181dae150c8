package homeserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// expectRead checks that the device reads what the bridge sent last, in a session of the owner.
func (r *reader) expectRead(want, wantOwner string) {
	r.t.Helper()
	if body, owner := r.read(); body != want || owner != wantOwner {
		r.t.Errorf("read %q in a session of %q, want %q of %q", body, owner, want, wantOwner)
	}
}

// sessions is how many sessions the device has keys of.
func (r *reader) sessions() int { return len(r.rooms) }

func TestIdentitySurvivesTheLossOfTheDatabase(t *testing.T) {
	s := newStack(t)
	s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	master := s.fake.masterKey(bob)
	s.bridge.Stop()
	s.db, s.kv.values = openDatabase(t, filepath.Join(t.TempDir(), "new.db")), make(map[string][]byte)
	s.start(t, "secret")
	tablet := s.newReader(t, alice, "TABLET", 5)
	s.mustSend(t, "after")
	tablet.expectRead("after", bob)
	if s.fake.masterKey(bob) != master {
		t.Error("the contact has another identity")
	}
	if published := len(s.fake.made("POST", "/keys/device_signing/upload")); published != 2 {
		t.Errorf("identities were published %d times, want once for the bot and once for the contact", published)
	}
}

func TestAnotherSecretKeyFallsBackToTheBotAndWarnsTheAdmin(t *testing.T) {
	s := newStack(t)
	alices := s.newReader(t, alice, "PHONE", 5)
	s.fake.lock.Lock()
	s.fake.keys.user(bob).identity["master_key"] = json.RawMessage(`{"user_id":"@postern_bob:example.org","keys":{"ed25519:x":"x"}}`)
	s.fake.lock.Unlock()
	for range 2 {
		s.mustSend(t, "hello")
		alices.expectRead("hello", botUser)
	}
	if warning := <-s.warnings; !strings.Contains(warning, "bot's device") {
		t.Errorf("the admin was told %q", warning)
	}
	if tries := len(s.fake.made("POST", "/keys/device_signing/upload")); tries != 2 { // the first is the bot's
		t.Errorf("it was tried %d times without a pause", tries-1)
	}
	select {
	case <-s.warnings:
		t.Error("the admin was told twice")
	default:
	}
	// Later it works.
	s.fake.lock.Lock()
	clear(s.fake.keys.user(bob).identity)
	s.fake.lock.Unlock()
	s.connector.RetryPuppet(bob)
	s.mustSend(t, "again")
	alices.expectRead("again", bob)
}

func TestTroubleWithADeviceKeepsTheMessageWaitingForAWhile(t *testing.T) {
	s := newStack(t)
	alices := s.newReader(t, alice, "PHONE", 5)
	s.fake.setRefusalOf("POST", "/keys/device_signing/upload", http.StatusBadGateway, "M_UNKNOWN")
	for range 2 {
		if _, err := s.send(t.Context(), "one"); err == nil {
			t.Fatal("a message was sent under another key before it was tried again")
		}
	}
	if _, err := s.send(t.Context(), "one"); err != nil {
		t.Fatalf("a message waits for ever: %v", err)
	}
	alices.expectRead("hello", botUser)
}

func TestDeviceWithoutOneTimeKeysGetsTheKeyLater(t *testing.T) {
	s := newStack(t)
	phone, tablet := s.newReader(t, alice, "PHONE", 5), s.newReader(t, alice, "TABLET", 0)
	s.mustSend(t, "one")
	phone.expectRead("one", bob)
	if body, _ := tablet.read(); body != "" {
		t.Fatal("a device without one-time keys could be reached")
	}
	if s.roomKeys.count() != 1 {
		t.Fatalf("%d keys are kept", s.roomKeys.count())
	}
	tablet.addOneTimeKeys(1)
	s.fake.wait("PUT", "/sendToDevice/", 2)
	for s.roomKeys.count() > 0 { // until it is noted
		if t.Context().Err() != nil {
			t.FailNow()
		}
	}
	tablet.expectRead("one", bob)
}

func TestKeptKeyIsDeliveredAfterARestart(t *testing.T) {
	s := newStack(t)
	tablet := s.newReader(t, alice, "TABLET", 0)
	s.mustSend(t, "one")
	s.bridge.ExternallyManagedDB = true
	s.bridge.Stop()
	tablet.addOneTimeKeys(5) // the stop may have interrupted a request that takes one
	s.start(t, "secret")
	s.fake.wait("PUT", "/sendToDevice/", 1)
	tablet.expectRead("one", bob)
}

func TestKeptKeyOfADeviceThatIsGoneIsForgotten(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	s.newReader(t, alice, "TABLET", 0)
	s.mustSend(t, "one")
	s.fake.lock.Lock()
	delete(s.fake.keys.user(string(alice)).devices, "TABLET")
	s.fake.lock.Unlock()
	s.changeDevices(alice, "second")
	for s.roomKeys.count() > 0 {
		if t.Context().Err() != nil {
			t.FailNow()
		}
	}
}

// changeDevices tells the bot that a user's devices changed.
func (s *stack) changeDevices(user id.UserID, batch string) {
	s.fake.syncs <- fmt.Sprintf(`{"next_batch":%q,"device_lists":{"changed":[%q]}}`, batch, user)
}

func TestNewDeviceOfTheUserReadsTheContactsNextMessage(t *testing.T) {
	s := newStack(t)
	s.firstSync()
	if err := s.connector.StateStore.SetEncryptionEvent(t.Context(), room, &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}); err != nil {
		t.Fatal(err)
	}
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "one")
	phone.expectRead("one", bob)
	tablet := s.newReader(t, alice, "TABLET", 5)
	asked := len(s.fake.made("POST", "/keys/query"))
	s.changeDevices(alice, "second")
	s.fake.wait("POST", "/keys/query", asked+1)
	s.fake.syncs <- `{"next_batch":"third"}` // is asked for when the change is handled
	s.fake.wait("GET", "/sync", 4)
	s.mustSend(t, "two")
	phone.expectRead("two", bob)
	tablet.expectRead("two", bob)
}

func TestDiscardingTheSessionDropsThatOfEverySender(t *testing.T) {
	s := newStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	notice := func(body string) {
		t.Helper()
		if _, err := s.connector.BotIntent().SendMessage(t.Context(), room, event.EventMessage, text(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	for round := 1; round <= 2; round++ {
		s.mustSend(t, "message")
		phone.expectRead("message", bob)
		notice("notice")
		phone.expectRead("notice", botUser)
		if phone.sessions() != 2*round {
			t.Errorf("round %d: there are %d sessions", round, phone.sessions())
		}
		s.connector.ResetSession(room)
	}
}

func TestSessionIsRotatedWhenItIsUsedUp(t *testing.T) {
	s := newStack(t)
	content := &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: 2}
	if err := s.connector.StateStore.SetEncryptionEvent(t.Context(), room, content); err != nil {
		t.Fatal(err)
	}
	phone := s.newReader(t, alice, "PHONE", 1) // one Olm session is enough
	for i := range 5 {
		s.mustSend(t, fmt.Sprint(i))
		phone.expectRead(fmt.Sprint(i), bob)
	}
	if phone.sessions() != 3 {
		t.Errorf("there are %d sessions, want 3", phone.sessions())
	}
}

func TestRoomThatBeganWithTheBotsSession(t *testing.T) {
	s := newStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	if _, err := s.connector.BotIntent().SendMessage(t.Context(), room, event.EventMessage, text("before"), nil); err != nil {
		t.Fatal(err)
	}
	phone.expectRead("before", botUser)
	s.mustSend(t, "after")
	phone.expectRead("after", bob)
}

func TestContactsDeviceThatTheHomeserverLostIsMadeAnew(t *testing.T) {
	s := newStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "before")
	lost := s.fake.onlyDevice(t, bob)
	master := s.fake.masterKey(bob)
	s.fake.lock.Lock()
	delete(s.fake.keys.user(bob).devices, lost)
	s.fake.lock.Unlock()
	if err := s.restart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	s.mustSend(t, "after")
	phone.expectRead("after", bob)
	if device := s.fake.onlyDevice(t, bob); device == lost || !s.fake.isSigned(t, bob, device) || s.fake.masterKey(bob) != master {
		t.Error("there is no new device of the same identity")
	}
}

// tellKey sends the key of a user's session to the only device of one of our users, as the user's client does.
func (r *reader) tellKey(to string, from *sender) {
	r.t.Helper()
	device := r.fake.onlyDevice(r.t, to)
	r.fake.lock.Lock()
	defer r.fake.lock.Unlock()
	var keys struct{ Keys map[string]string }
	if err := json.Unmarshal(r.fake.keys.user(to).device(device).keys, &keys); err != nil {
		r.t.Fatal(err)
	}
	name, oneTime := r.fake.keys.user(to).device(device).take()
	var key struct{ Key id.Curve25519 }
	if err := json.Unmarshal(oneTime, &key); err != nil {
		r.t.Fatalf("there is no one-time key (%q): %v", name, err)
	}
	session, err := r.account.Internal.NewOutboundSession(id.Curve25519(keys.Keys["curve25519:"+device]), key.Key)
	if err != nil {
		r.t.Fatal(err)
	}
	plain, _ := json.Marshal(map[string]any{
		"type": "m.room_key", "sender": r.user, "recipient": to, "keys": map[string]any{"ed25519": r.account.SigningKey()},
		"recipient_keys": map[string]any{"ed25519": keys.Keys["ed25519:"+device]},
		"content": map[string]any{
			"algorithm": "m.megolm.v1.aes-sha2", "room_id": room, "session_id": from.session.ID(), "session_key": from.key,
		},
	})
	kind, body, err := session.Encrypt(plain)
	if err != nil {
		r.t.Fatal(err)
	}
	content, _ := json.Marshal(map[string]any{
		"algorithm": "m.olm.v1.curve25519-aes-sha2", "sender_key": r.account.IdentityKey(),
		"ciphertext": map[string]any{keys.Keys["curve25519:"+device]: map[string]any{"type": kind, "body": string(body)}},
	})
	message, _ := json.Marshal(map[string]any{"messages": map[string]any{to: map[string]any{device: json.RawMessage(content)}}})
	r.fake.keys.deliver(string(r.user), "m.room.encrypted", message)
}

// TestKeyThatOnlyTheContactsDeviceGotIsFound: the bot was taken out of the room, or its device could not be reached.
func TestKeyThatOnlyTheContactsDeviceGotIsFound(t *testing.T) {
	s := newStack(t)
	s.connector.SetLateKeyLimits(time.Millisecond, time.Minute)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "hello")
	from := newSender(t)
	phone.tellKey(bob, from)
	s.push(t, "1", transaction(from.event("$a", "one")))
	s.expect(t, "one")
	// What was read is deleted at the homeserver, and used one-time keys are replaced.
	s.connector.ResetSession(room)
	s.mustSend(t, "hello")
	s.fake.lock.Lock()
	left := s.fake.keys.user(bob).devices[deviceName(s.fake, bob)]
	inbox, oneTime := len(left.inbox), len(left.oneTime)
	s.fake.lock.Unlock()
	if inbox > 0 {
		t.Errorf("%d messages to the contact are left at the homeserver", inbox)
	}
	if oneTime < 3 {
		t.Errorf("the contact has only %d one-time keys", oneTime)
	}
}

// deviceName returns the name of the user's only device. The lock is held.
func deviceName(f *fakeHomeserver, user string) string {
	for name := range f.keys.user(user).devices {
		return name
	}
	return ""
}

// TestOneTimeKeyCountsOfContactsAreNotHeard: Synapse tells them of all contacts, also of their cross-signing keys.
func TestOneTimeKeyCountsOfContactsAreNotHeard(t *testing.T) {
	s := newStack(t)
	s.mustSend(t, "hello")
	uploads := len(s.fake.made("POST", "/keys/upload"))
	counts := make(map[string]map[string]any)
	for i := range 1000 {
		counts[fmt.Sprintf("@postern_%d:example.org", i)] = map[string]any{"DEVICE": map[string]int{"signed_curve25519": 0}, "crosssigningkey": map[string]int{}}
	}
	body, _ := json.Marshal(map[string]any{"events": []any{}, "org.matrix.msc3202.device_one_time_keys_count": counts})
	if status := s.push(t, "1", string(body)); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if len(s.fake.made("POST", "/keys/upload")) != uploads || s.connector.LoadedPuppets() != 1 {
		t.Errorf("the counts led to %d uploads and %d loaded contacts", len(s.fake.made("POST", "/keys/upload"))-uploads, s.connector.LoadedPuppets())
	}
}

func TestDevicesInMemoryAreBounded(t *testing.T) {
	s := newStack(t)
	s.connector.SetMaxPuppets(3)
	for i := range 10 {
		if err := s.connector.GhostIntent(networkid.UserID(fmt.Sprintf("c%d", i))).EnsureJoined(t.Context(), "!other:example.org"); err != nil {
			t.Fatal(err)
		}
	}
	if loaded := s.connector.LoadedPuppets(); loaded != 3 {
		t.Errorf("%d devices are in memory, want 3", loaded)
	}
	// One that was dropped is loaded again, and is the same.
	device := s.fake.onlyDevice(t, "@postern_c0:example.org")
	if err := s.connector.GhostIntent(networkid.UserID(fmt.Sprintf("c%d", 0))).EnsureJoined(t.Context(), "!another:example.org"); err != nil {
		t.Fatal(err)
	}
	if s.fake.onlyDevice(t, "@postern_c0:example.org") != device {
		t.Error("a contact that was dropped from memory has another device")
	}
}

func TestEndedRoomsKeysAreErased(t *testing.T) {
	s := newStack(t)
	s.newReader(t, alice, "PHONE", 0)
	s.mustSend(t, "hello")
	if err := s.connector.ForgetRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	if left := s.rows(t, "crypto_megolm_outbound_session") + s.rows(t, "crypto_megolm_inbound_session") + s.roomKeys.count(); left > 0 {
		t.Errorf("%d keys of the room are left", left)
	}
	if s.rows(t, "crypto_account") != 2 {
		t.Error("the contact's device went with one of its rooms")
	}
}

func TestContactWithoutChatsLosesItsDevice(t *testing.T) {
	s := newStack(t)
	s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "hello")
	if err := s.connector.ForgetRoom(t.Context(), room); err != nil {
		t.Fatal(err)
	}
	if err := s.connector.ForgetDevice(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if s.rows(t, "crypto_account") != 1 || s.rows(t, "crypto_olm_session") != 0 {
		t.Error("keys of the contact are left")
	}
	s.fake.lock.Lock()
	left := len(s.fake.keys.user(bob).devices)
	s.fake.lock.Unlock()
	if left > 0 {
		t.Error("the homeserver still has the device")
	}
}

func (s *stack) rows(t *testing.T, table string) (count int) {
	t.Helper()
	if err := s.db.QueryRow(context.Background(), "SELECT count(*) FROM "+table).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

var _ homeserver.RoomKeys = (*memoryRoomKeys)(nil)
