package connector

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// bridgev2 notes which messages disappear when; what is due is taken away here. bridgev2 has a loop for that too, which
// forgets a message when the homeserver does not answer, and which nobody waits for at a stop.

const (
	// expiryBatch is how many messages are taken away between two looks at the table.
	expiryBatch = 100
	// expiryLook is how far ahead the table is read, and so how often at the least.
	expiryLook = time.Hour
	// expiryRetry is the pause after the homeserver did not take a deletion.
	expiryRetry = 30 * time.Second
)

// expiry deletes messages whose time is over, in one goroutine.
type expiry struct {
	messages *mxdatabase.DisappearingMessageQuery
	// redact takes a message out of its room.
	redact func(ctx context.Context, room id.RoomID, message id.EventID) error
	// woken has room for one: a message was noted, which may be due before all others.
	woken chan struct{}
}

func newExpiry() *expiry { return &expiry{woken: make(chan struct{}, 1)} }

// init is called when bridgev2 is there.
func (e *expiry) init(bridge *bridgev2.Bridge) {
	e.messages = bridge.DB.DisappearingMessage
	e.redact = func(ctx context.Context, room id.RoomID, message id.EventID) error {
		_, err := bridge.Bot.SendMessage(ctx, room, event.EventRedaction, &event.Content{
			Parsed: &event.RedactionEventContent{Redacts: message, Reason: "Its time is over"},
		}, nil)
		return err
	}
}

// note has a message deleted at the end of its time, counted from at.
func (e *expiry) note(ctx context.Context, message *mxdatabase.Message, chat *bridgev2.Portal) {
	if chat.Disappear.Type == event.DisappearingTypeNone {
		return
	}
	err := e.messages.Put(ctx, &mxdatabase.DisappearingMessage{
		RoomID: chat.MXID, EventID: message.MXID, Timestamp: message.Timestamp,
		DisappearingSetting: chat.Disappear.StartingAt(message.Timestamp),
	})
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to note when a message disappears")
	}
	e.wake()
}

func (e *expiry) wake() {
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// run deletes until ctx ends.
func (e *expiry) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := e.deleteDue(ctx)
		if err != nil && ctx.Err() == nil {
			zerolog.Ctx(ctx).Warn().Err(err).Msg("Failed to delete a message whose time is over, trying again")
			wait = expiryRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-e.woken:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// deleteDue deletes what is due and returns how long nothing more is.
func (e *expiry) deleteDue(ctx context.Context) (wait time.Duration, err error) {
	for {
		upcoming, err := e.messages.GetUpcoming(ctx, expiryLook, expiryBatch)
		if err != nil {
			return 0, fmt.Errorf("failed to look for messages whose time is over: %w", err)
		}
		for _, message := range upcoming {
			if left := time.Until(message.DisappearAt); left > 0 {
				return left, nil
			}
			if err = e.delete(ctx, message); err != nil {
				return 0, err
			}
		}
		if len(upcoming) < expiryBatch {
			return expiryLook, nil
		}
	}
}

// delete takes one message out of its room. What the homeserver refuses, because the room or the message is gone, counts as
// done.
func (e *expiry) delete(ctx context.Context, message *mxdatabase.DisappearingMessage) error {
	err := e.redact(ctx, message.RoomID, message.EventID)
	if err != nil && failureKind(err) == failureWait {
		return fmt.Errorf("failed to delete a message: %w", err)
	} else if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("room_id", message.RoomID).Stringer("event_id", message.EventID).
			Msg("The homeserver refuses to delete a message whose time is over")
	}
	if err = e.messages.Delete(ctx, message.EventID); err != nil {
		return fmt.Errorf("failed to forget a message whose time was over: %w", err)
	}
	return nil
}
