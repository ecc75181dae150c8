package homeserver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"
)

const newRoom = id.RoomID("!new:example.org")

// bridged makes a portal of a room that a user made, without encryption.
func (s *stack) bridged(t *testing.T) *bridgev2.Portal {
	t.Helper()
	s.fake.setState("/rooms/"+string(newRoom)+"/members", fmt.Sprintf(
		`{"chunk":[{"type":"m.room.member","state_key":%q,"content":{"membership":"join"}},{"type":"m.room.member","state_key":%q,"content":{"membership":"join"}}]}`,
		alice, s.connector.FormatGhostMXID("carol")))
	return s.makePortal(t, "carol", newRoom)
}

const setEncryption = "/state/m.room.encryption"

func TestRoomThatAUserMadeBecomesEncrypted(t *testing.T) {
	s := newStack(t)
	portal := s.bridged(t)
	if err := s.connector.HandleNewlyBridgedRoom(context.Background(), newRoom); err != nil {
		t.Fatal(err)
	}
	if set := s.fake.made("PUT", setEncryption); len(set) != 1 || !strings.Contains(set[0].Body, "m.megolm.v1.aes-sha2") {
		t.Errorf("encryption was set with %v", set)
	}
	if portal.MXID != newRoom {
		t.Error("the room is no portal any more")
	}
}

func TestRoomThatIsEncryptedStaysAsItIs(t *testing.T) {
	s := newStack(t)
	s.bridged(t)
	s.fake.setState("/rooms/"+string(newRoom)+setEncryption+"/", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	if err := s.connector.HandleNewlyBridgedRoom(context.Background(), newRoom); err != nil {
		t.Fatal(err)
	}
	if set := s.fake.made("PUT", setEncryption); len(set) > 0 {
		t.Error("encryption was set again")
	}
}

func TestRoomThatCannotBeEncryptedIsGivenUp(t *testing.T) {
	s := newStack(t)
	portal := s.bridged(t)
	s.fake.setRefusalOf("PUT", setEncryption, 403, "M_FORBIDDEN")
	if err := s.connector.HandleNewlyBridgedRoom(context.Background(), newRoom); err == nil {
		t.Error("no error")
	}
	if portal.MXID != "" {
		t.Error("the room is a portal still")
	}
	if said := s.fake.made("PUT", "send/m.room.message"); len(said) != 1 || !strings.Contains(said[0].Body, "not used for the chat") {
		t.Errorf("the user was told %v", said)
	}
	if left := s.fake.made("POST", "/leave"); len(left) != 2 {
		t.Errorf("%d left, want the contact and the bot", len(left))
	}
}

func TestGone(t *testing.T) {
	s := newStack(t)
	membership := fmt.Sprintf("/rooms/%s/state/m.room.member/%s", room, botUser)
	for name, test := range map[string]struct {
		err    error
		member string
		want   bool
	}{
		"left":            {mautrix.MForbidden, `{"membership":"leave"}`, true},
		"banned":          {mautrix.MForbidden, `{"membership":"ban"}`, true},
		"no permission":   {mautrix.MForbidden, `{"membership":"join"}`, false},
		"no such room":    {mautrix.MNotFound, "", true},
		"server was away": {errors.New("connection refused"), `{"membership":"leave"}`, false},
		"too large":       {mautrix.MTooLarge, `{"membership":"leave"}`, false},
		"no error":        {nil, `{"membership":"leave"}`, false},
	} {
		s.fake.lock.Lock()
		delete(s.fake.state, membership)
		if test.member != "" {
			s.fake.state[membership] = test.member
		}
		s.fake.lock.Unlock()
		if got := s.connector.Gone(context.Background(), room, test.err); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
