package homeserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// sender is a Megolm session of a user's device.
type sender struct {
	t       *testing.T
	session olm.OutboundGroupSession
	key     string
}

func newSender(t *testing.T) *sender {
	t.Helper()
	session, err := olm.NewOutboundGroupSession()
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t: t, session: session, key: session.Key()}
}

const (
	senderKey  = "5MYJpV5WKHc6VAKr5lPTqVC5Hq7u3Y5ykSMzYnPbrgA"
	signingKey = "JMhdQLVYmRTBQ+LQ2l+WcIbI3DGzMmr3Q7h0yuqOOgE"
)

// share gives the bot the key, as a to-device message would.
func (s *sender) share(connector interface{ Machine() *crypto.OlmMachine }) {
	s.t.Helper()
	inbound, err := crypto.NewInboundGroupSession(senderKey, signingKey, room, s.key, 0, 0, nil, false)
	if err != nil {
		s.t.Fatal(err)
	}
	if err = connector.Machine().StoreGroupSession(context.Background(), inbound); err != nil {
		s.t.Fatal(err)
	}
}

// event makes an encrypted message.
func (s *sender) event(evt id.EventID, text string) string {
	s.t.Helper()
	plain := fmt.Sprintf(`{"room_id":%q,"type":"m.room.message","content":{"msgtype":"m.text","body":%q}}`, room, text)
	ciphertext, err := s.session.Encrypt([]byte(plain))
	if err != nil {
		s.t.Fatal(err)
	}
	return encrypted(evt, s.session.ID(), string(ciphertext))
}

func encrypted(evt id.EventID, session id.SessionID, ciphertext string) string {
	data, _ := json.Marshal(map[string]any{
		"type": "m.room.encrypted", "event_id": evt, "room_id": room, "sender": alice, "origin_server_ts": time.Now().UnixMilli(),
		"content": map[string]any{
			"algorithm": "m.megolm.v1.aes-sha2", "session_id": session, "sender_key": senderKey, "ciphertext": ciphertext, "device_id": "D",
		},
	})
	return string(data)
}

func transaction(events ...string) string { return `{"events":[` + strings.Join(events, ",") + `]}` }

func (s *stack) expect(t *testing.T, texts ...string) {
	t.Helper()
	for _, want := range texts {
		select {
		case got := <-s.network.messages:
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%q did not arrive", want)
		}
	}
}

func (s *stack) expectNothing(t *testing.T) {
	t.Helper()
	select {
	case got := <-s.network.messages:
		t.Errorf("%q arrived once too often", got)
	default:
	}
}

func TestTransactionIsAnsweredOnlyWhenItsMessagesAreStored(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	s.network.hold = make(chan struct{})
	answered := make(chan int)
	go func() { answered <- s.push(t, "1", transaction(from.event("$a", "one"), from.event("$b", "two"))) }()
	s.network.hold <- struct{}{}
	s.expect(t, "one")
	select {
	case <-answered:
		t.Fatal("the transaction was answered before its second message was handled")
	case s.network.hold <- struct{}{}:
	}
	if status := <-answered; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.expect(t, "two")
	row, err := s.bridge.DB.Message.GetPartByMXID(context.Background(), "$b")
	if err != nil || row == nil {
		t.Errorf("the message is not stored when the transaction is answered: %v %v", row, err)
	}
}

func TestRepeatedTransactionBringsOnlyWhatIsNew(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	first, second := from.event("$a", "one"), from.event("$b", "two")
	s.push(t, "7", transaction(first))
	// Dendrite keeps the id of a transaction that failed and adds what came since.
	if status := s.push(t, "7", transaction(first, second)); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.expect(t, "one", "two")
	s.expectNothing(t)
}

func TestRepeatedTransactionAfterARestartBringsNothingTwice(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	body := transaction(from.event("$a", "one"))
	s.push(t, "1", body)
	s.expect(t, "one")
	s.bridge.ExternallyManagedDB = true
	s.bridge.Stop()
	s.start(t, "secret")
	if status := s.push(t, "1", body); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.expectNothing(t)
}

func TestMessageWaitsForItsKeyAndKeepsItsPlace(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	s.push(t, "1", transaction(from.event("$a", "one")))
	s.push(t, "2", transaction(from.event("$b", "two")))
	s.expectNothing(t)
	from.share(s.connector)
	s.expect(t, "one", "two")
}

func TestMessageThatWaitedIsLookedForAfterARestart(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	evt := from.event("$a", "one")
	s.push(t, "1", transaction(evt))
	s.bridge.ExternallyManagedDB = true
	s.bridge.Stop()
	s.fake.setState("/rooms/"+string(room)+"/event/$a", evt)
	s.start(t, "secret")
	from.share(s.connector)
	s.expect(t, "one")
}

func TestSenderIsToldWhenTheKeyDoesNotCome(t *testing.T) {
	s := newStack(t)
	s.connector.SetLateKeyLimits(time.Millisecond, time.Second)
	s.push(t, "1", transaction(newSender(t).event("$a", "one")))
	statuses := s.fake.wait("PUT", "com.beeper.message_send_status", 1)
	if !strings.Contains(statuses[0].Body, "Please send it again") || !strings.Contains(statuses[0].Body, "$a") {
		t.Errorf("status says %s", statuses[0].Body)
	}
	s.fake.wait("PUT", "send/m.room.encrypted", 1)
	if clear := s.fake.made("PUT", "send/m.room.message"); len(clear) > 0 {
		t.Errorf("a notice went into a chat in the clear: %s", clear[0].Body)
	}
	s.fake.wait("PUT", "sendToDevice/m.room_key_request", 1)
}

func TestUnencryptedMessageInAChatIsRefused(t *testing.T) {
	s := newStack(t)
	s.push(t, "1", transaction(fmt.Sprintf(
		`{"type":"m.room.message","event_id":"$a","room_id":%q,"sender":%q,"content":{"msgtype":"m.text","body":"clear"}}`, room, alice)))
	s.expectNothing(t)
	status := s.fake.wait("PUT", "com.beeper.message_send_status", 1)[0]
	if !strings.Contains(status.Body, "not encrypted") {
		t.Errorf("status says %s", status.Body)
	}
}

func TestTransactionsThatCannotBeTakenAreRefused(t *testing.T) {
	s := newStack(t)
	many := make([]string, 10001)
	for i := range many {
		many[i] = "{}"
	}
	for name, test := range map[string]struct {
		token, body string
		want        int
	}{
		"wrong token":     {"other", "{}", http.StatusUnauthorized},
		"not JSON":        {hsTok, "{", http.StatusBadRequest},
		"too large":       {hsTok, `{"events":[],"x":"` + strings.Repeat("x", 1<<20) + `"}`, http.StatusBadRequest},
		"too many events": {hsTok, transaction(many...), http.StatusRequestEntityTooLarge},
		"null event":      {hsTok, `{"events":[null],"ephemeral":[null],"to_device":[null]}`, http.StatusOK},
		"nothing":         {hsTok, "{}", http.StatusOK},
	} {
		if got := push(context.Background(), t, s.address, test.token, name, test.body); got != test.want {
			t.Errorf("%s: status %d, want %d", name, got, test.want)
		}
	}
}

func FuzzTransaction(f *testing.F) {
	f.Add(`{"events":[{"type":"m.room.message","event_id":"$a","room_id":"!chat:example.org","sender":"@alice:example.org","content":{"msgtype":"m.text","body":"x"}}]}`)
	f.Add(`{"ephemeral":[{"type":"m.typing","room_id":"!chat:example.org","content":{"user_ids":["@alice:example.org"]}}]}`)
	f.Add(`{"to_device":[{"type":"m.room.encrypted","sender":"@a:b","content":{"algorithm":"m.olm.v1.curve25519-aes-sha2"}}]}`)
	f.Add(`{"events":[{"type":"m.room.member","state_key":"@postern:example.org","room_id":"!x:y","content":{"membership":1}}]}`)
	f.Add(`{"to_device":[{"type":"m.room.encrypted","sender":"@a:b","to_user_id":"@postern_bob:example.org","to_device_id":"D",` +
		`"content":{"algorithm":"m.olm.v1.curve25519-aes-sha2","sender_key":"k","ciphertext":{"k":{"type":0,"body":"Aw"}}}}]}`)
	f.Add(encryptedTransaction())
	s := newStack(f)
	s.fake.report = func(string, ...any) {} // what the bridge asks for depends on what it was fed
	f.Fuzz(func(t *testing.T, body string) {
		status := push(context.Background(), t, s.address, hsTok, "fuzz", body)
		if status >= 500 {
			t.Errorf("status %d", status)
		}
	})
}

func encryptedTransaction() string { return transaction(encrypted("$a", "session", "AwgA")) }
