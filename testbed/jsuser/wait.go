package jsuser

import (
	"context"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/event"

	"postern/testbed/record"
)

// shownSights is how many of the last events an error about waiting in vain shows.
const shownSights = 15

// Mark returns the present end of what the user saw.
func (u *User) Mark() record.Mark { return u.seen.Mark() }

// Since returns what the user saw after the mark, in order. An event comes again when more of it is known, such as its key.
func (u *User) Since(mark record.Mark) []*Sight { return u.seen.Since(mark) }

// Wait returns the first event that matches, of all that came or will come. What cannot be decrypted matches as an encrypted event.
func (u *User) Wait(ctx context.Context, what string, match func(*event.Event) bool) (*event.Event, error) {
	return u.WaitAfter(ctx, 0, what, match)
}

// WaitAfter is Wait for events that came after the mark. Its error wraps [record.ErrNoMatch].
func (u *User) WaitAfter(
	ctx context.Context, mark record.Mark, what string, match func(*event.Event) bool,
) (*event.Event, error) {
	sight, err := u.WaitSight(ctx, mark, what, func(sight *Sight) bool { return match(sight.Event) })
	if err != nil {
		return nil, err
	}
	return sight.Event, nil
}

// WaitSight is WaitAfter for how an event is shown.
func (u *User) WaitSight(ctx context.Context, mark record.Mark, what string, match func(*Sight) bool) (*Sight, error) {
	sight, err := u.seen.Wait(ctx, mark, match)
	if err != nil {
		return nil, fmt.Errorf("%s for %s %w%s", what, u.ID(), err, u.describe(mark))
	}
	return sight, nil
}

// describe lists the last events after the mark for an error text, and before them what is not shown as it should be.
func (u *User) describe(mark record.Mark) string {
	sights := u.seen.Since(mark)
	var text strings.Builder
	for i, sight := range sights {
		if blemish := sight.Blemish(); blemish != "" {
			fmt.Fprintf(&text, "\n  saw %s in %s: %s", sight, sight.Event.RoomID, blemish)
		} else if i >= len(sights)-shownSights {
			fmt.Fprintf(&text, "\n  saw %s in %s", sight, sight.Event.RoomID)
		}
	}
	return text.String()
}
