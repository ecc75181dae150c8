package homeserver_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// content makes an encrypted event of any type.
func (s *sender) content(evt id.EventID, kind, content string) string {
	s.t.Helper()
	ciphertext, err := s.session.Encrypt(fmt.Appendf(nil, `{"room_id":%q,"type":%q,"content":%s}`, room, kind, content))
	if err != nil {
		s.t.Fatal(err)
	}
	return encrypted(evt, s.session.ID(), string(ciphertext))
}

func clearState(kind, sender, key, content string) string {
	return fmt.Sprintf(`{"type":%q,"event_id":"$a","room_id":%q,"sender":%q,"state_key":%q,"content":%s}`, kind, room, sender, key, content)
}

func TestUserIsToldWhatCannotBeBridged(t *testing.T) {
	const poll = `{"m.poll":{"question":{"m.text":[{"body":"?"}]},"answers":[]},"m.text":[{"body":"?"}]}`
	from := newSender(t)
	member := func(content string) string {
		return clearState("org.matrix.msc3401.call.member", string(alice), "_@alice:example.org_D", content)
	}
	for name, test := range map[string]struct{ evt, want string }{
		"poll":            {from.content("$a", "m.poll.start", poll), "Polls cannot"},
		"unstable poll":   {from.content("$a", "org.matrix.msc3381.poll.start", `{"org.matrix.msc3381.poll.start":{"question":{},"answers":[]}}`), "Polls cannot"},
		"call":            {from.content("$a", "m.call.invite", `{"call_id":"1","version":1,"lifetime":1000,"offer":{"type":"offer","sdp":""}}`), "cannot be called"},
		"group call":      {member(`{"application":"m.call","call_id":""}`), "cannot be called"},
		"live location":   {clearState("m.beacon_info", string(alice), string(alice), `{"live":true}`), "where you are now"},
		"unstable beacon": {clearState("org.matrix.msc3672.beacon_info", string(alice), string(alice), `{"live":true}`), "where you are now"},
		"new kind":        {from.content("$a", "org.example.card", `{"body":"a card"}`), "of this kind"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			from.share(s.connector)
			s.push(t, "1", transaction(test.evt))
			status := s.fake.wait("PUT", statusEvent, 1)[0].Body
			if !strings.Contains(status, test.want) || !strings.Contains(status, `"FAIL_PERMANENT"`) || !strings.Contains(status, "$a") {
				t.Errorf("status %s", status)
			}
			s.fake.wait("PUT", "send/m.room.encrypted", 1)
			s.push(t, "2", transaction(test.evt))
			if again := s.fake.made("PUT", statusEvent); len(again) != 1 {
				t.Errorf("told %d times", len(again))
			}
		})
	}
}

func TestNobodyElseIsToldWhatCannotBeBridged(t *testing.T) {
	s := newStack(t)
	const live = `{"live":true}`
	from := newSender(t)
	from.share(s.connector)
	s.push(t, "1", transaction(
		clearState("m.beacon_info", "@mallory:other.org", "@mallory:other.org", live),
		strings.Replace(clearState("m.beacon_info", "@carol:example.org", "@carol:example.org", live), "$a", "$b", 1),
		strings.Replace(clearState("m.beacon_info", "@postern_bob:example.org", "@postern_bob:example.org", live), "$a", "$c", 1),
		strings.Replace(clearState("m.beacon_info", botUser, botUser, live), "$a", "$d", 1),
		strings.Replace(strings.Replace(clearState("m.beacon_info", string(alice), string(alice), live), string(room), "!other:example.org", 1), "$a", "$e", 1),
		// What follows is told: it comes last.
		from.content("$last", "m.poll.start", `{}`)))
	s.fake.wait("PUT", statusEvent, 1)
	if told := s.fake.made("PUT", statusEvent); len(told) != 1 || !strings.Contains(told[0].Body, "$last") {
		t.Errorf("told %v", told)
	}
}

func parsed(t testing.TB, data string) *event.Event {
	t.Helper()
	var evt event.Event
	if err := json.Unmarshal([]byte(data), &evt); err != nil {
		t.Fatal(err)
	}
	homeserver.Prepare(&evt)
	return &evt
}

func TestWhatIsNothingToTellIsNotTold(t *testing.T) {
	for name, data := range map[string]string{
		"end of a live location": clearState("m.beacon_info", "@a:b", "@a:b", `{"live":false}`),
		"a place on the way":     `{"type":"m.beacon","content":{"m.ts":1}}`,
		"end of a call":          clearState("m.call.member", "@a:b", "x", `{}`),
		"call that goes on":      clearState("m.call.member", "@a:b", "x", `{"call_id":"","created_ts":1}`),
		"hangup":                 `{"type":"m.call.hangup","content":{"call_id":"1"}}`,
		"vote":                   `{"type":"m.poll.response","content":{"m.text":"x"}}`,
		"end of a poll":          `{"type":"org.matrix.msc3381.poll.end","content":{"org.matrix.msc1767.text":"Ended"}}`,
		"verification":           `{"type":"m.key.verification.start","content":{"body":"x"}}`,
		"no text":                `{"type":"org.example","content":{"body":7,"m.text":[],"x":"y"}}`,
		"topic":                  clearState("m.room.topic", "@a:b", "", `{"topic":"x","body":"x"}`),
	} {
		if got := homeserver.WhatIsUnsupported(parsed(t, data)); got != "" {
			t.Errorf("%s: told of a %s", name, got)
		}
	}
}
