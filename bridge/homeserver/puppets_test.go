package homeserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const bob = "@postern_bob:example.org"

// masterKey is that of a user's identity, as it was uploaded.
func (f *fakeHomeserver) masterKey(user string) string {
	f.lock.Lock()
	defer f.lock.Unlock()
	return string(f.keys.user(user).identity["master_key"])
}

// isSigned tells whether a device's keys bear the right signature of its user's identity.
func (f *fakeHomeserver) isSigned(t *testing.T, user, device string) bool {
	t.Helper()
	f.lock.Lock()
	defer f.lock.Unlock()
	var signer mautrix.CrossSigningKeys
	if err := json.Unmarshal(f.keys.user(user).identity["self_signing_key"], &signer); err != nil {
		t.Fatalf("%s has no identity: %v", user, err)
	}
	key := signer.FirstKey()
	ok, err := signatures.VerifySignatureJSON(f.keys.user(user).device(device).keys, id.UserID(user), key.String(), key)
	return ok && err == nil
}

// onlyDevice returns the name of the user's device.
func (f *fakeHomeserver) onlyDevice(t *testing.T, user string) string {
	t.Helper()
	f.lock.Lock()
	defer f.lock.Unlock()
	if len(f.keys.user(user).devices) != 1 {
		t.Fatalf("%s has %d devices", user, len(f.keys.user(user).devices))
	}
	for name := range f.keys.user(user).devices {
		return name
	}
	return ""
}

// reader is a user's device that reads messages, with no code of the bridge's.
type reader struct {
	t       *testing.T
	fake    *fakeHomeserver
	user    id.UserID
	device  id.DeviceID
	account *crypto.OlmAccount
	olm     map[id.SenderKey]olm.Session
	rooms   map[id.SessionID]olm.InboundGroupSession
	owners  map[id.SessionID]string // who sent the key
}

// newReader gives the user a device with so many one-time keys.
func (s *stack) newReader(t *testing.T, user id.UserID, device id.DeviceID, oneTime int) *reader {
	t.Helper()
	r := &reader{
		t: t, fake: s.fake, user: user, device: device, account: crypto.NewOlmAccount(), olm: make(map[id.SenderKey]olm.Session),
		rooms: make(map[id.SessionID]olm.InboundGroupSession), owners: make(map[id.SessionID]string),
	}
	keys := map[string]any{
		"user_id": user, "device_id": device, "algorithms": []string{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		"keys": map[string]any{
			fmt.Sprintf("curve25519:%s", device): r.account.IdentityKey(), fmt.Sprintf("ed25519:%s", device): r.account.SigningKey(),
		},
	}
	r.sign(keys)
	data, _ := json.Marshal(keys)
	s.fake.lock.Lock()
	s.fake.keys.user(string(user)).device(string(device)).keys = data
	s.fake.lock.Unlock()
	r.addOneTimeKeys(oneTime)
	if err := s.connector.StateStore.SetMembership(context.Background(), room, user, event.MembershipJoin); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reader) sign(object map[string]any) {
	r.t.Helper()
	signature, err := r.account.SignJSON(object)
	if err != nil {
		r.t.Fatal(err)
	}
	object["signatures"] = map[string]any{string(r.user): map[string]any{fmt.Sprintf("ed25519:%s", r.device): signature}}
}

func (r *reader) addOneTimeKeys(count int) {
	r.t.Helper()
	if err := r.account.Internal.GenOneTimeKeys(uint(count)); err != nil {
		r.t.Fatal(err)
	}
	keys, err := r.account.Internal.OneTimeKeys()
	if err != nil {
		r.t.Fatal(err)
	}
	r.fake.lock.Lock()
	defer r.fake.lock.Unlock()
	for name, key := range keys {
		object := map[string]any{"key": key}
		r.sign(object)
		data, _ := json.Marshal(object)
		r.fake.keys.user(string(r.user)).device(string(r.device)).oneTime["signed_curve25519:"+name] = data
	}
	r.account.Internal.MarkKeysAsPublished()
}

// sync takes the to-device messages and returns how many room keys were among them.
func (r *reader) sync() (count int) {
	r.t.Helper()
	r.fake.lock.Lock()
	device := r.fake.keys.user(string(r.user)).device(string(r.device))
	inbox := device.inbox
	device.inbox = nil
	r.fake.lock.Unlock()
	for _, message := range inbox {
		var evt struct {
			Type, Sender string
			Content      struct {
				SenderKey  id.SenderKey `json:"sender_key"`
				Ciphertext map[id.IdentityKey]struct {
					Type id.OlmMsgType
					Body string
				}
			}
		}
		if err := json.Unmarshal([]byte(message), &evt); err != nil {
			r.t.Fatal(err)
		}
		if evt.Type != "m.room.encrypted" {
			continue
		}
		ours := evt.Content.Ciphertext[r.account.IdentityKey()]
		session := r.olm[evt.Content.SenderKey]
		if session == nil {
			var err error
			if session, err = r.account.Internal.NewInboundSessionFrom(&evt.Content.SenderKey, ours.Body); err != nil {
				r.t.Fatalf("a message from %s cannot be decrypted: %v", evt.Sender, err)
			}
			r.olm[evt.Content.SenderKey] = session
		}
		plain, err := session.Decrypt(ours.Body, ours.Type)
		if err != nil {
			r.t.Fatalf("a message from %s cannot be decrypted: %v", evt.Sender, err)
		}
		var key struct {
			Type    string
			Sender  string
			Content event.RoomKeyEventContent
		}
		if err = json.Unmarshal(plain, &key); err != nil {
			r.t.Fatal(err)
		}
		if key.Type != "m.room_key" {
			continue
		}
		if key.Sender != evt.Sender {
			r.t.Errorf("%s sent a key in the name of %s", evt.Sender, key.Sender)
		}
		if r.rooms[key.Content.SessionID], err = olm.NewInboundGroupSession([]byte(key.Content.SessionKey)); err != nil {
			r.t.Fatal(err)
		}
		r.owners[key.Content.SessionID] = evt.Sender
		count++
	}
	return count
}

// read decrypts what the bridge sent last and returns its text and whose device owns the session. "" if the key is missing.
func (r *reader) read() (body, owner string) {
	r.t.Helper()
	r.sync()
	sent := r.fake.made("PUT", "/send/m.room.encrypted")
	var content event.EncryptedEventContent
	if err := json.Unmarshal([]byte(sent[len(sent)-1].Body), &content); err != nil {
		r.t.Fatal(err)
	}
	session := r.rooms[content.SessionID]
	if session == nil {
		return "", ""
	}
	plain, _, err := session.Decrypt(content.MegolmCiphertext)
	if err != nil {
		r.t.Fatal(err)
	}
	var message struct{ Content struct{ Body string } }
	if err = json.Unmarshal(plain, &message); err != nil {
		r.t.Fatal(err)
	}
	return message.Content.Body, r.owners[content.SessionID]
}

func (s *stack) mustSend(t *testing.T, message string) {
	t.Helper()
	if _, err := s.connector.GhostIntent("bob").SendMessage(t.Context(), room, event.EventMessage, text(message), nil); err != nil {
		t.Fatal(err)
	}
}

func TestContactsMessageIsEncryptedByTheContactsDevice(t *testing.T) {
	s := newStack(t)
	alices := s.newReader(t, alice, "PHONE", 5)
	for _, message := range []string{"one", "two"} {
		s.mustSend(t, message)
		if body, owner := alices.read(); body != message || owner != bob {
			t.Errorf("read %q in a session of %q", body, owner)
		}
	}
	if device := s.fake.onlyDevice(t, bob); !s.fake.isSigned(t, bob, device) {
		t.Error("the device is not signed")
	}
	if s.fake.masterKey(bob) == s.fake.masterKey(botUser) {
		t.Error("the contact has the bot's identity")
	}
}

func TestBotsMessageIsEncryptedByTheBotsDevice(t *testing.T) {
	s := newStack(t)
	alices := s.newReader(t, alice, "PHONE", 5)
	if _, err := s.connector.BotIntent().SendMessage(t.Context(), room, event.EventMessage, text("notice"), nil); err != nil {
		t.Fatal(err)
	}
	if body, owner := alices.read(); body != "notice" || owner != botUser {
		t.Errorf("read %q in a session of %q", body, owner)
	}
}

// TestNobodyEverSeesAnUnsignedDeviceOfAContact: the identity comes before the device, the signature with it, and all that before the
// contact is in a room.
func TestNobodyEverSeesAnUnsignedDeviceOfAContact(t *testing.T) {
	s := newStack(t)
	const other = "!other:example.org"
	if err := s.connector.GhostIntent("carol").EnsureJoined(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	const carol = "@postern_carol:example.org"
	s.fake.lock.Lock()
	defer s.fake.lock.Unlock()
	var steps []string
	for _, request := range s.fake.requests {
		if !strings.Contains(request.Query, "carol") {
			continue
		}
		switch {
		case request.Path == "/keys/device_signing/upload":
			steps = append(steps, "identity")
		case request.Path == "/keys/upload":
			if strings.Count(request.Body, "ed25519:") < 3 { // the key and two signatures
				t.Errorf("the device was published without its signature: %s", request.Body)
			}
			steps = append(steps, "device")
		case strings.HasSuffix(request.Path, "/join"):
			steps = append(steps, "join")
		}
	}
	if got := strings.Join(steps, " "); got != "identity device join" {
		t.Errorf("the order is %q", got)
	}
	if len(s.fake.keys.user(carol).devices) != 1 {
		t.Errorf("there are %d devices", len(s.fake.keys.user(carol).devices))
	}
}

func TestContactsDeviceIsTheSameAfterARestart(t *testing.T) {
	s := newStack(t)
	alices := s.newReader(t, alice, "PHONE", 1)
	s.mustSend(t, "before")
	alices.read()
	device, master := s.fake.onlyDevice(t, bob), s.fake.masterKey(bob)
	if err := s.restart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	s.mustSend(t, "after")
	if body, owner := alices.read(); body != "after" || owner != bob {
		t.Errorf("read %q in a session of %q", body, owner)
	}
	if s.fake.onlyDevice(t, bob) != device || s.fake.masterKey(bob) != master {
		t.Error("the contact has another device or identity")
	}
}
