package e2e_test

import (
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
)

// TestElementReadsTheFirstMessageOfWhomItAccepts, who has been in the room for long by then. A client learns who is in a room when its user
// joins, and not from an invitation.
func TestElementReadsTheFirstMessageOfWhomItAccepts(t *testing.T) {
	ctx, s := shared(t)
	alice := newElementUser(t, ctx, s, "alice", true)
	alice.Thinks = 2 * time.Second
	alice.restarts(t, ctx)
	var rooms []id.RoomID
	mark := alice.Mark()
	for range 3 {
		text, bob := unique("first"), newContact(t, ctx, s, "Bob", 1)
		must(bob.Device().SendText(ctx, alice.Address, text))(t)
		rooms = append(rooms, alice.sees(t, ctx, mark, "first message", matrixuser.MessageIn("", "", text)).RoomID)
	}
	checkUnblemished(t, ctx, alice.User, mark, rooms...)
}
