package homeserver_test

import (
	"context"
	"fmt"
	"testing"

	"maunium.net/go/mautrix/id"
)

// TestForgottenRoomsStayForgotten although the homeserver's news of who left comes after that. Who comes to a room is stored as ever.
func TestForgottenRoomsStayForgotten(t *testing.T) {
	s, ctx := newStack(t), context.Background()
	count := func(room id.RoomID) (rows int) {
		t.Helper()
		if err := s.db.QueryRow(ctx, "SELECT COUNT(*) FROM mx_user_profile WHERE room_id = $1", room).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	if count(room) == 0 {
		t.Fatal("nothing is stored of the room")
	}
	if err := s.connector.ForgetRoom(ctx, room); err != nil {
		t.Fatal(err)
	}
	news := func(number int, room id.RoomID, user id.UserID, membership string) {
		t.Helper()
		body := fmt.Sprintf(`{"events":[{"type":"m.room.member","event_id":"$news%d","room_id":%q,"sender":%q,"state_key":%q,"content":{"membership":%q}}]}`,
			number, room, user, user, membership)
		if status := s.push(t, fmt.Sprintf("news-%d", number), body); status != 200 {
			t.Fatalf("status %d", status)
		}
	}
	news(1, room, s.connector.FormatGhostMXID("bob"), "leave")
	news(2, room, botUser, "leave")
	news(3, room, alice, "ban")
	if left := count(room); left != 0 {
		t.Errorf("%d rows of the room are stored again", left)
	}
	news(4, newRoom, alice, "leave")
	news(5, room, alice, "join")
	if count(newRoom) != 1 || count(room) != 1 {
		t.Errorf("other news are not stored: %d, %d", count(newRoom), count(room))
	}
}
