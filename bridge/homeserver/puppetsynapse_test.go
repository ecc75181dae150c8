package homeserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// newSynapseStack is newStack with a homeserver that makes devices by MSC4190 and sends to-device messages in transactions.
func newSynapseStack(t *testing.T) *stack {
	t.Helper()
	s := &stack{fake: newFakeHomeserver(t), explain: func(error) string { return "" }, kv: &memoryKV{values: make(map[string][]byte)}}
	s.fake.keys.synapse = true
	s.db = openDatabase(t, t.TempDir()+"/test.db")
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.start(t, "secret")
	}()
	probe := s.fake.probe(1)
	s.push(t, "probe", `{"to_device":[`+probe+`]}`)
	<-started
	if t.Failed() {
		t.FailNow()
	}
	return s
}

// probe returns the to-device message that the bot sent to itself, when there are so many.
func (f *fakeHomeserver) probe(number int) string {
	f.t.Helper()
	var sent struct {
		Messages map[string]map[string]struct{ Token string }
	}
	if err := json.Unmarshal([]byte(f.wait("PUT", "/sendToDevice/org.postern.probe", number)[number-1].Body), &sent); err != nil {
		f.t.Fatal(err)
	}
	for _, message := range sent.Messages[botUser] {
		return fmt.Sprintf(`{"type":"org.postern.probe","sender":%q,"content":{"token":%q}}`, botUser, message.Token)
	}
	f.t.Fatal("the bot sent nothing to itself")
	return ""
}

func TestContactsDeviceIsMadeWithoutALoginWhereThatIsPossible(t *testing.T) {
	s := newSynapseStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "hello")
	phone.expectRead("hello", bob)
	if made := s.fake.made("PUT", "/devices/"); len(made) != 2 { // the first is the bot's
		t.Errorf("%d devices were made", len(made))
	}
	if logins := s.fake.made("POST", "/login"); len(logins) > 0 {
		t.Error("somebody was logged in")
	}
	if !s.fake.isSigned(t, bob, s.fake.onlyDevice(t, bob)) {
		t.Error("the device is not signed")
	}
	if err := s.connector.ForgetDevice(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	if deleted := s.fake.made("DELETE", "/devices/"); len(deleted) != 1 {
		t.Errorf("%d devices were deleted", len(deleted))
	}
}

func TestKeyForAContactComesInATransaction(t *testing.T) {
	s := newSynapseStack(t)
	phone := s.newReader(t, alice, "PHONE", 5)
	s.mustSend(t, "hello")
	from := newSender(t)
	phone.tellKey(bob, from)
	device := s.fake.onlyDevice(t, bob)
	s.fake.lock.Lock()
	key := s.fake.keys.user(bob).device(device).inbox[0]
	s.fake.lock.Unlock()
	to := func(message, user, device string) string {
		return fmt.Sprintf(`%s,"to_user_id":%q,"to_device_id":%q}`, strings.TrimSuffix(message, "}"), user, device)
	}
	others := []string{ // that nobody must mind
		to(key, bob, "GONE"), to(key, "@postern_stranger:example.org", device),
		to(`{"type":"m.room_key_request","sender":"@alice:example.org","content":{"action":"request"}}`, bob, device),
		to(`{"type":"m.room.encrypted","sender":"@alice:example.org","content":{"algorithm":"m.olm.v1.curve25519-aes-sha2"}}`, bob, device),
	}
	body := fmt.Sprintf(`{"to_device":[%s,%s],"events":[%s]}`, strings.Join(others, ","), to(key, bob, device), from.event("$a", "one"))
	if status := s.push(t, "1", body); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.expect(t, "one")
	if synced := s.fake.made("GET", "/sync"); len(synced) > 0 {
		t.Errorf("somebody synced: %s", synced[0].Query)
	}
}
