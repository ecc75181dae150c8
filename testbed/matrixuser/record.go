package matrixuser

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// shownEvents is how many of the last events an error about waiting in vain shows.
const shownEvents = 15

// ErrNoMatch is wrapped by errors about an event that did not come in time.
var ErrNoMatch = errors.New("event did not come")

// Mark is a place in the order in which a user received events.
type Mark int

// record keeps every event in the order of its arrival, encrypted ones both as they are and decrypted.
type record struct {
	lock          sync.Mutex
	events        []*event.Event
	undecryptable map[id.EventID]error
	grown         chan struct{} // closed and replaced when anything here changes
	ended         error         // why the sync ended; nil while it runs
}

func (r *record) init() {
	r.undecryptable = make(map[id.EventID]error)
	r.grown = make(chan struct{})
}

// change runs fn under the lock and wakes all waiters.
func (r *record) change(fn func()) {
	r.lock.Lock()
	defer r.lock.Unlock()
	fn()
	close(r.grown)
	r.grown = make(chan struct{})
}

func (r *record) add(_ context.Context, evt *event.Event) {
	r.change(func() { r.events = append(r.events, evt) })
}

func (r *record) addUndecryptable(evt *event.Event, err error) {
	r.change(func() { r.undecryptable[evt.ID] = err })
}

func (r *record) end(err error) {
	r.change(func() { r.ended = fmt.Errorf("sync ended: %w", err) })
}

// since returns the events after the mark, a channel that closes when there are more, and why there will be none.
func (r *record) since(mark Mark) (events []*event.Event, grown <-chan struct{}, ended error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.events[mark:], r.grown, r.ended
}

// Mark returns the present end of what the user received.
func (u *User) Mark() Mark {
	u.record.lock.Lock()
	defer u.record.lock.Unlock()
	return Mark(len(u.record.events))
}

// Wait returns the first event that matches, of all that came or will come. what names the event in an error.
func (u *User) Wait(ctx context.Context, what string, match func(*event.Event) bool) (*event.Event, error) {
	return u.WaitAfter(ctx, 0, what, match)
}

// WaitAfter is Wait for events that came after the mark.
func (u *User) WaitAfter(ctx context.Context, mark Mark, what string, match func(*event.Event) bool) (*event.Event, error) {
	first := mark
	for {
		events, grown, ended := u.record.since(mark)
		for _, evt := range events {
			if match(evt) {
				return evt, nil
			}
		}
		mark += Mark(len(events))
		if ended != nil {
			return nil, fmt.Errorf("%w: %s for %s: %w", ErrNoMatch, what, u.ID(), ended)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %s for %s: %w%s", ErrNoMatch, what, u.ID(), ctx.Err(), u.describe(first))
		}
	}
}

// describe lists the last events after the mark for an error text: kinds, senders and ids.
func (u *User) describe(mark Mark) string {
	events, _, _ := u.record.since(mark)
	u.record.lock.Lock()
	defer u.record.lock.Unlock()
	var text strings.Builder
	for _, evt := range events[max(0, len(events)-shownEvents):] {
		fmt.Fprintf(&text, "\n  saw %s from %s in %s (%s)", evt.Type.Type, evt.Sender, evt.RoomID, evt.ID)
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok {
			fmt.Fprintf(&text, ": %q", content.Body)
		}
		if err, failed := u.record.undecryptable[evt.ID]; failed {
			fmt.Fprintf(&text, ": undecryptable: %v", err)
		}
	}
	return text.String()
}
