package homeserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// showEvent lets the homeserver have an event, as someone sent it.
func (s *stack) showEvent(evt id.EventID, data string) {
	s.fake.setState("/rooms/"+string(room)+"/event/"+string(evt), data)
}

// sentByTheBridge sends an event as bob and returns what the homeserver shows of it.
func (s *stack) sentByTheBridge(t *testing.T, evt id.EventID, content *event.Content) string {
	t.Helper()
	extra := metaOf(networkid.MessageID(evt))
	if _, err := s.connector.GhostIntent("bob").SendMessage(context.Background(), room, event.EventMessage, content, extra); err != nil {
		t.Fatal(err)
	}
	sent := s.fake.made("PUT", "send/m.room.encrypted")
	return fmt.Sprintf(`{"type":"m.room.encrypted","event_id":%q,"room_id":%q,"sender":%q,"origin_server_ts":1760000000000,"content":%s}`,
		evt, room, s.connector.FormatGhostMXID("bob"), sent[len(sent)-1].Body)
}

func bundle(original, edit string) string {
	return strings.TrimSuffix(original, "}") + `,"unsigned":{"m.relations":{"m.replace":` + edit + `}}}`
}

func editOf(evt id.EventID, body string) *event.Content {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: body}
	content.SetEdit(evt)
	return &event.Content{Parsed: content}
}

func (s *stack) content(t *testing.T, evt id.EventID) string {
	t.Helper()
	got, err := s.connector.Content(context.Background(), room, evt)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != evt || got.RoomID != room {
		t.Errorf("got %s in %s", got.ID, got.RoomID)
	}
	return got.Content.AsMessage().Body
}

// Dendrite tells edits only if it is asked for them.
func TestLastEditIsAskedForWhereItDoesNotComeWithTheMessage(t *testing.T) {
	s := newStack(t)
	s.showEvent("$a", s.sentByTheBridge(t, "$a", text("first")))
	older := s.sentByTheBridge(t, "$edit1", editOf("$a", "second"))
	newer := strings.Replace(s.sentByTheBridge(t, "$edit2", editOf("$a", "third")), "1760000000000", "1760000000001", 1)
	foreign := strings.NewReplacer(`"sender":"`, `"sender":"@mallory:example.org","was":"`, "1760000000000", "1760000000002").
		Replace(s.sentByTheBridge(t, "$edit3", editOf("$a", "forged")))
	s.fake.relations = `{"chunk":[` + older + `,` + newer + `,` + foreign + `]}`
	if got := s.content(t, "$a"); got != "third" {
		t.Errorf("got %q", got)
	}
}

func TestBridgeReadsWhatItSent(t *testing.T) {
	s := newStack(t)
	first := s.sentByTheBridge(t, "$a", text("first"))
	s.showEvent("$a", first)
	s.showEvent("$b", s.sentByTheBridge(t, "$b", text("second")))
	for range 2 {
		if got := s.content(t, "$b"); got != "second" {
			t.Errorf("got %q", got)
		}
		if got := s.content(t, "$a"); got != "first" {
			t.Errorf("got %q", got)
		}
	}
	if err := s.restart(t, "secret"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.bridge.Stop)
	if got := s.content(t, "$a"); got != "first" {
		t.Errorf("after a restart: got %q", got)
	}
}

func TestBridgeReadsWhatUsersSent(t *testing.T) {
	s := newStack(t)
	from := newSender(t)
	from.share(s.connector)
	s.showEvent("$a", from.event("$a", "from alice"))
	if got := s.content(t, "$a"); got != "from alice" {
		t.Errorf("got %q", got)
	}
}

func TestLastEditIsWhatAMessageSays(t *testing.T) {
	s := newStack(t)
	original := s.sentByTheBridge(t, "$a", text("first"))
	edit := s.sentByTheBridge(t, "$e", editOf("$a", "better"))
	s.showEvent("$a", bundle(original, edit))
	got, err := s.connector.Content(context.Background(), room, "$a")
	if err != nil {
		t.Fatal(err)
	}
	if message := got.Content.AsMessage(); message.Body != "better" || message.NewContent != nil || got.Content.Raw["body"] != "better" {
		t.Errorf("got %+v, raw %v", message, got.Content.Raw)
	}
	other := s.sentByTheBridge(t, "$f", editOf("$other", "of another"))
	for name, edit := range map[string]string{
		"someone else's": strings.Replace(edit, "@postern_bob", "@mallory", 1),
		"of another":     other,
		"no edit":        s.sentByTheBridge(t, "$g", text("no edit")),
		"in the clear":   `{"type":"m.room.message","event_id":"$e","sender":"@postern_bob:example.org","content":{"body":"x","m.new_content":{"body":"forged"},"m.relates_to":{"rel_type":"m.replace","event_id":"$a"}}}`,
		"old form":       `{"event_id":"$e","sender":"@postern_bob:example.org","origin_server_ts":1}`,
		"null":           `null`,
	} {
		s.showEvent("$a", bundle(original, edit))
		if got := s.content(t, "$a"); got != "first" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestWhatCannotBeReadIsToldApartFromWhatCannotBeFetched(t *testing.T) {
	s := newStack(t)
	sent := s.sentByTheBridge(t, "$a", text("first"))
	for name, data := range map[string]string{
		"unknown key":   newSender(t).event("$a", "x"),
		"redacted":      strings.Replace(sent, `"content"`, `"unsigned":{"redacted_because":{"type":"m.room.redaction","event_id":"$r"}},"content"`, 1),
		"no content":    `{"type":"m.room.encrypted","event_id":"$a","sender":"@alice:example.org","content":{}}`,
		"in the clear":  `{"type":"m.room.message","event_id":"$a","sender":"@alice:example.org","content":{"msgtype":"m.text","body":"x"}}`,
		"state":         `{"type":"m.room.name","state_key":"","event_id":"$a","sender":"@alice:example.org","content":{"name":"x"}}`,
		"another event": strings.Replace(sent, "$a", "$b", 1),
		"null":          `null`,
		"malformed":     bundle(sent, `7`),
		"broken":        strings.Replace(sent, `"ciphertext":"AwgA`, `"ciphertext":"AwgB`, 1),
	} {
		s.showEvent("$a", data)
		if got, err := s.connector.Content(context.Background(), room, "$a"); !errors.Is(err, homeserver.ErrNoContent) {
			t.Errorf("%s: got %v, error %v", name, got, err)
		}
	}
	if _, err := s.connector.Content(context.Background(), room, "$gone"); !errors.Is(err, homeserver.ErrNoContent) {
		t.Errorf("gone: error %v", err)
	}
	s.fake.setRefusal("/event/", 502, "M_UNKNOWN")
	if _, err := s.connector.Content(mautrix.WithMaxRetries(context.Background(), 0), room, "$a"); errors.Is(err, homeserver.ErrNoContent) || !isStatus(err, 502) {
		t.Errorf("out of order: error %v", err)
	}
}

func TestKeysOfTheBridgeLiveForTwoWeeks(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	s.showEvent("$a", s.sentByTheBridge(t, "$a", text("first")))
	age := func(days int) {
		if _, err := s.db.Exec(ctx, "UPDATE crypto_megolm_inbound_session SET received_at=$1", time.Now().AddDate(0, 0, -days).UTC()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.connector.Machine().CryptoStore.RedactExpiredGroupSessions(ctx); err != nil {
			t.Fatal(err)
		}
	}
	age(13)
	if got := s.content(t, "$a"); got != "first" {
		t.Errorf("got %q", got)
	}
	age(16)
	if got, err := s.connector.Content(ctx, room, "$a"); !errors.Is(err, homeserver.ErrNoContent) {
		t.Errorf("got %v, error %v", got, err)
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(encrypted("$a", "session", "AwgA")))
	f.Add([]byte(bundle(encrypted("$a", "session", "AwgA"), encrypted("$b", "session", "AwgA"))))
	f.Add([]byte(bundle(encrypted("$a", "session", "AwgA"), `{"sender":"@alice:example.org","type":7}`)))
	f.Add([]byte(`{"event_id":"$a","type":"m.room.encrypted","content":[],"unsigned":{"m.relations":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		original, edit, err := homeserver.ParseEvent(data, room, "$a")
		if err != nil {
			return
		}
		if original.ID != "$a" || original.RoomID != room || !json.Valid(data) {
			t.Errorf("took %+v", original)
		}
		if edit != nil && (edit.Sender != original.Sender || edit.RoomID != room) {
			t.Errorf("took the edit %+v", edit)
		}
	})
}
