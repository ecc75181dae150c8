package homeserver

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Anybody may invite the bot to a room and write there what it has no key for. So messages wait in two groups: those of
// chats and of our users' rooms with the bot, and all others, which are few and not stored. Strangers get no answer when
// their key does not come, and can make only strangers wait in vain.
const (
	// maxLateEvents and maxLateInRoom bound the messages that wait in chats and our users' rooms.
	maxLateEvents = 1000
	maxLateInRoom = 100
	// maxLateOthers and maxOthersInRoom bound those that wait elsewhere.
	maxLateOthers   = 50
	maxOthersInRoom = 5
)

var errTooManyLate = fmt.Errorf("more than %d messages wait for keys, or more than %d in this room", maxLateEvents, maxLateInRoom)

// lateCounts are the messages that wait. The lock of lateKeys protects them.
type lateCounts struct {
	known, others int
	rooms         map[id.RoomID]int
}

// take makes place for a message; false if there is none.
func (c *lateCounts) take(room id.RoomID, known bool) bool {
	group, limit, inRoom := &c.known, maxLateEvents, maxLateInRoom
	if !known {
		group, limit, inRoom = &c.others, maxLateOthers, maxOthersInRoom
	}
	if *group >= limit || c.rooms[room] >= inRoom {
		return false
	}
	*group++
	c.rooms[room]++
	return true
}

func (c *lateCounts) release(room id.RoomID, known bool) {
	if known {
		c.known--
	} else {
		c.others--
	}
	if c.rooms[room]--; c.rooms[room] == 0 {
		delete(c.rooms, room)
	}
}

// isKnownPlace tells whether a message is in a chat, or from one of our users or an admin in their room with the bot.
func (c *Connector) isKnownPlace(ctx context.Context, evt *event.Event) (bool, error) {
	portal, err := c.Bridge.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil {
		return false, fmt.Errorf("failed to look for a portal: %w", err)
	} else if portal != nil {
		return true, nil
	}
	user, err := c.Bridge.GetExistingUserByMXID(ctx, evt.Sender)
	if err != nil {
		return false, fmt.Errorf("failed to look for a user: %w", err)
	}
	return user != nil && user.ManagementRoom == evt.RoomID &&
		(user.Permissions.Admin || evt.Sender.Homeserver() == c.AS.HomeserverDomain), nil
}
