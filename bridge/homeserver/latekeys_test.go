package homeserver_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"
)

const lateList = "matrix.late_events"

// elsewhere moves an event of a chat to a room that a stranger made.
func elsewhere(evt string) string {
	evt = strings.ReplaceAll(evt, string(room), "!stranger:other.org")
	return strings.ReplaceAll(evt, string(alice), "@stranger:other.org")
}

func (kv *memoryKV) get(name string) string {
	value, _ := kv.Get(context.Background(), name)
	return string(value)
}

func TestStrangersDoNotTakeThePlaceOfMessagesThatWait(t *testing.T) {
	s := newStack(t)
	s.connector.SetLateKeyLimits(time.Hour, time.Hour)
	var strange []string
	for i := range 1200 {
		strange = append(strange, elsewhere(encrypted(id.EventID(fmt.Sprintf("$s%d", i)), id.SessionID(fmt.Sprintf("session%d", i)), "AwgA")))
	}
	if status := s.push(t, "1", transaction(strange[:600]...)); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	s.push(t, "2", transaction(strange[600:]...))
	if list := s.kv.get(lateList); strings.Contains(list, "$s") {
		t.Errorf("messages of strangers are stored: %s", list)
	}
	from := newSender(t)
	s.push(t, "3", transaction(from.event("$a", "one")))
	if list := s.kv.get(lateList); !strings.Contains(list, "$a") {
		t.Errorf("a message of a chat is not stored: %s", list)
	}
	from.share(s.connector)
	s.expect(t, "one")
	if answers := s.fake.made("PUT", "!stranger:other.org/send"); len(answers) > 0 {
		t.Errorf("strangers got %d answers", len(answers))
	}
}

func TestOneChatCannotTakeAllPlacesOfMessagesThatWait(t *testing.T) {
	s := newStack(t)
	s.connector.SetLateKeyLimits(time.Hour, time.Hour)
	from := newSender(t)
	var many []string
	for i := range 101 {
		many = append(many, from.event(id.EventID(fmt.Sprintf("$%d", i)), fmt.Sprint(i)))
	}
	s.push(t, "1", transaction(many...))
	status := s.fake.wait("PUT", "com.beeper.message_send_status", 1)
	if len(status) != 1 || !strings.Contains(status[0].Body, `"$100"`) {
		t.Errorf("the sender was told %v", status)
	}
	if got := strings.Count(s.kv.get(lateList), `"event"`); got != 100 {
		t.Errorf("%d messages are stored, want 100", got)
	}
	from.share(s.connector)
	for i := range 100 {
		s.expect(t, fmt.Sprint(i))
	}
}

func TestMessageThatWaitedIsNotOvertakenAfterARestart(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	first, second := from.event("$a", "one"), from.event("$b", "two")
	from.share(s.connector)
	s.bridge.ExternallyManagedDB = true
	s.bridge.Stop()
	// As a kill after the key came leaves it. The homeserver has trouble at first.
	list := fmt.Sprintf(`[{"room":%q,"event":"$a","since":"2026-01-01T00:00:00Z"}]`, room)
	if err := s.kv.Set(t.Context(), lateList, []byte(list)); err != nil {
		t.Fatal(err)
	}
	s.fake.setState("/rooms/"+string(room)+"/event/$a", first)
	s.fake.setRefusalOf("GET", "/event/$a", http.StatusBadGateway, "M_UNKNOWN")
	started := make(chan struct{})
	go func() {
		defer close(started)
		s.start(t, "secret")
	}()
	s.fake.wait("GET", "/event/$a", 1)
	pushed := make(chan int)
	go func() { pushed <- s.push(t, "1", transaction(second)) }()
	s.fake.setRefusal("/event/$a", 0, "")
	<-started
	if status := <-pushed; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	s.expect(t, "one", "two")
	if list := s.kv.get(lateList); strings.Contains(list, "$a") {
		t.Errorf("a message that arrived still waits: %s", list)
	}
}
