package homeserver_test

import (
	"context"
	"errors"
	"testing"

	"postern/bridge/homeserver"
)

func TestARoomForTheAdminsMustBeEncryptedAndTheBotInIt(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	expect := func(when, name string, want error) {
		t.Helper()
		room, err := s.connector.FindRoom(ctx, name)
		if want == nil && (err != nil || room != newRoom) {
			t.Errorf("%s: %s, %v", when, room, err)
		} else if !errors.Is(err, want) {
			t.Errorf("%s: %v instead of %v", when, err, want)
		}
	}
	s.fake.setRefusalOf("POST", "/join", 403, "M_FORBIDDEN")
	expect("not invited", string(newRoom), homeserver.ErrNotInRoom)
	s.fake.setRefusalOf("POST", "/join", 0, "")
	expect("invited, not encrypted", string(newRoom), homeserver.ErrNotEncrypted)
	member := "/rooms/" + string(newRoom) + "/state/m.room.member/" + botUser
	s.fake.setState(member, `{"membership":"join"}`)
	s.fake.setState("/rooms/"+string(newRoom)+setEncryption+"/", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	joins := len(s.fake.made("POST", "/join"))
	expect("in it", string(newRoom), nil)
	if len(s.fake.made("POST", "/join")) > joins {
		t.Error("a bot that was in the room joined it")
	}
	s.fake.setState(member, `{"membership":"leave"}`)
	s.fake.setRefusalOf("POST", "/join", 403, "M_FORBIDDEN")
	expect("taken out", string(newRoom), homeserver.ErrNotInRoom)
	s.fake.setState("/directory/room/#admins:example.org", `{"room_id":"`+string(newRoom)+`"}`)
	s.fake.setState(member, `{"membership":"join"}`)
	expect("by its alias", "#admins:example.org", nil)
	expect("another alias", "#nobody:example.org", homeserver.ErrNotInRoom)
	s.fake.setRefusalOf("GET", "/state/m.room.member", 502, "M_UNKNOWN")
	if _, err := s.connector.FindRoom(ctx, string(newRoom)); err == nil || errors.Is(err, homeserver.ErrNotInRoom) {
		t.Errorf("while the homeserver is away: %v", err)
	}
}
