package homeserver_test

import (
	"context"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/id"
)

func TestStrangersAreNotNotedInTheDatabase(t *testing.T) {
	s := newStack(t)
	const stranger = id.UserID("@stranger:other.org")
	s.push(t, "1", transaction(
		fmt.Sprintf(`{"type":"m.room.member","event_id":"$m","room_id":"!stranger:other.org","sender":%q,"state_key":%q,"content":{"membership":"join"}}`, stranger, stranger),
		fmt.Sprintf(`{"type":"m.reaction","event_id":"$r","room_id":"!stranger:other.org","sender":%q,"content":{"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":"x"}}}`, stranger),
		fmt.Sprintf(`{"type":"m.room.message","event_id":"$a","room_id":"!stranger:other.org","sender":%q,"content":{"msgtype":"m.text","body":"!test help"}}`, stranger)))
	for user, want := range map[id.UserID]bool{stranger: false, alice: true} {
		row, err := s.bridge.DB.User.GetByMXID(context.Background(), user)
		if err != nil || (row != nil) != want {
			t.Errorf("%s is in the database: %v, want %v (%v)", user, row != nil, want, err)
		}
	}
}
