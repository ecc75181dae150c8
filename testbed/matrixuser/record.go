package matrixuser

import (
	"context"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/record"
)

// shownEvents is how many of the last events an error about waiting in vain shows.
const shownEvents = 15

// Mark returns the present end of what the user received.
func (u *User) Mark() record.Mark { return u.events.Mark() }

// Since returns what the user received after the mark: encrypted events both as they are and decrypted.
func (u *User) Since(mark record.Mark) []*event.Event { return u.events.Since(mark) }

// Wait returns the first event that matches, of all that came or will come. what names the event in an error.
func (u *User) Wait(ctx context.Context, what string, match func(*event.Event) bool) (*event.Event, error) {
	return u.WaitAfter(ctx, 0, what, match)
}

// WaitAfter is Wait for events that came after the mark. Its error wraps [record.ErrNoMatch].
func (u *User) WaitAfter(
	ctx context.Context, mark record.Mark, what string, match func(*event.Event) bool,
) (*event.Event, error) {
	evt, err := u.events.Wait(ctx, mark, match)
	if err != nil {
		return nil, fmt.Errorf("%s for %s %w%s", what, u.ID(), err, u.describe(mark))
	}
	return evt, nil
}

// describe lists the last events after the mark for an error text.
func (u *User) describe(mark record.Mark) string {
	failed := make(map[id.EventID]error)
	for _, failure := range u.failures.Since(0) {
		failed[failure.event] = failure.err
	}
	events := u.events.Since(mark)
	var text strings.Builder
	for _, evt := range events[max(0, len(events)-shownEvents):] {
		fmt.Fprintf(&text, "\n  saw %s from %s in %s (%s)", evt.Type.Type, evt.Sender, evt.RoomID, evt.ID)
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok {
			fmt.Fprintf(&text, ": %q", content.Body)
		}
		if err := failed[evt.ID]; err != nil {
			fmt.Fprintf(&text, ": undecryptable: %v", err)
		}
	}
	return text.String()
}
