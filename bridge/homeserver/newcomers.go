package homeserver

import (
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// introduction is how long after the bot or a contact came into a room their first message is sent into it. A client needs to get a
// sync, ask for their keys and get an answer: three ways between it and the homeserver, and some tens of milliseconds of work.
const introduction = 500 * time.Millisecond

// newcomers have the bot and contacts wait with their first message in a room until clients had time to learn their keys. Nothing tells when they
// did. A client asks for the keys of someone when it sees them come into an encrypted room. A message that is there before the answer
// looks as if it came from a device that nobody signed: Element shows a warning until it has the answer, and if it excludes insecure
// devices (MSC4153), it does not try to decrypt the message again until it is restarted.
//
// The zero value is ready. It is safe for concurrent use.
type newcomers struct {
	lock  sync.Mutex
	since map[newcomer]time.Time // those who came no longer ago than introduction and did not write yet
}

type newcomer struct {
	room id.RoomID
	user id.UserID
}

// joined notes that someone came into a room, if it is the bot or a contact.
func (c *Connector) joined(room id.RoomID, user id.UserID) {
	if user == c.Bot.UserID || c.Bridge.IsGhostMXID(user) {
		c.newcomers.came(room, user)
	}
}

// came is called when someone has joined a room.
func (n *newcomers) came(room id.RoomID, user id.UserID) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if n.since == nil {
		n.since = make(map[newcomer]time.Time)
	}
	now := time.Now()
	for who, came := range n.since {
		if now.Sub(came) >= introduction {
			delete(n.since, who)
		}
	}
	n.since[newcomer{room, user}] = now
}

// wait returns when someone may write into the room, or with ctx's error.
func (n *newcomers) wait(ctx context.Context, room id.RoomID, user id.UserID) error {
	n.lock.Lock()
	came, ok := n.since[newcomer{room, user}]
	n.lock.Unlock()
	left := introduction - time.Since(came)
	if !ok || left <= 0 {
		return nil
	}
	return sleep(ctx, left)
}
