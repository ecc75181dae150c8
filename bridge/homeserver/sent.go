package homeserver

import (
	"context"
	"sync"

	"maunium.net/go/mautrix/id"
)

// maxSent bounds the events that are remembered of one message; most have one.
const maxSent = 32

// Sent collects the events that a message became, whatever way bridgev2 took. Safe for concurrent use.
type Sent struct {
	lock   sync.Mutex
	room   id.RoomID
	events []id.EventID
}

type sentKey struct{}

// WithSent returns a context that has what is sent with it noted. nil notes nothing.
func WithSent(ctx context.Context, sent *Sent) context.Context {
	return context.WithValue(ctx, sentKey{}, sent)
}

// SentOf returns what was given to WithSent, nil if nothing was.
func SentOf(ctx context.Context) *Sent {
	sent, _ := ctx.Value(sentKey{}).(*Sent)
	return sent
}

// Events returns the room, and the events in the order in which they were sent. It may be called on nil.
func (s *Sent) Events() (room id.RoomID, events []id.EventID) {
	if s == nil {
		return "", nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.room, append([]id.EventID(nil), s.events...)
}

func (s *Sent) note(room id.RoomID, event id.EventID) {
	if s == nil {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.room = room
	if len(s.events) < maxSent {
		s.events = append(s.events, event)
	}
}
