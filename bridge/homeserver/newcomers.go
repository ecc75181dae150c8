package homeserver

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// introduction is how long after the bot or a contact came into a room, or got keys, their first message is sent into it, and after a user came the
// first of anybody. A client needs to get a sync, ask for keys and get an answer: three ways between it and the homeserver, and some tens of
// milliseconds of work.
const introduction = 500 * time.Millisecond

// newcomers have the bot and contacts wait with their first message in a room until clients had time to learn their keys. A client asks for the
// keys of someone when it sees them come into an encrypted room, and for those of all who are there when its user comes; an invitation shows it
// nobody's. A message that is there before the answer looks as if it came from a device that nobody signed: Element shows a warning
// until it has the answer, and if it excludes insecure devices (MSC4153), it does not try to decrypt the message again until it is restarted.
//
// Only time can help: no homeserver tells whose keys were asked for. To hold back the message's key instead would show everybody a message
// that cannot be read yet. Of all waits only what is left is waited for, so who accepts a request after a while waits for one of them.
//
// It is safe for concurrent use.
type newcomers struct {
	introduction time.Duration

	lock  sync.Mutex
	since map[newcomer]time.Time // those who came no longer ago than introduction
}

func newNewcomers() *newcomers {
	return &newcomers{introduction: introduction, since: make(map[newcomer]time.Time)}
}

// newcomer is the bot or a contact, or anyone for a user.
type newcomer struct {
	room id.RoomID
	user id.UserID
}

const (
	// anyone stands for users, for whom it makes no difference which one came.
	anyone id.UserID = ""
	// anywhere stands for the rooms of someone who had no keys until now, such as a contact of an earlier release: those who see them
	// there ask for the keys when they hear that there are some.
	anywhere id.RoomID = ""
)

// joined notes that someone came into a room.
func (c *Connector) joined(room id.RoomID, user id.UserID) {
	if !c.intake.isOurs(user) {
		user = anyone
	}
	c.newcomers.came(room, user)
}

// noteUser notes that a user came into a room, before the event is in the state store: one who was there before has another name now.
func (c *Connector) noteUser(ctx context.Context, evt *event.Event) {
	content, ok := evt.Content.Parsed.(*event.MemberEventContent)
	user := id.UserID(evt.GetStateKey())
	if ok && content.Membership == event.MembershipJoin && !c.intake.isOurs(user) && !c.StateStore.IsInRoom(ctx, evt.RoomID, user) {
		c.joined(evt.RoomID, user)
	}
}

// came is called when someone has joined a room.
func (n *newcomers) came(room id.RoomID, user id.UserID) {
	n.lock.Lock()
	defer n.lock.Unlock()
	now := time.Now()
	for who, came := range n.since {
		if now.Sub(came) >= n.introduction {
			delete(n.since, who)
		}
	}
	n.since[newcomer{room, user}] = now
}

// wait returns when someone may write into the room, or with ctx's error.
func (n *newcomers) wait(ctx context.Context, room id.RoomID, user id.UserID) error {
	n.lock.Lock()
	var last time.Time
	for _, who := range []newcomer{{room, user}, {room, anyone}, {anywhere, user}} {
		if came := n.since[who]; came.After(last) {
			last = came
		}
	}
	n.lock.Unlock()
	left := n.introduction - time.Since(last)
	if left <= 0 {
		return nil
	}
	return sleep(ctx, left)
}
