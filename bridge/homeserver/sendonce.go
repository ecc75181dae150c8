package homeserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A message may be in the room although its sender never heard so: the bridge was killed, or the connection broke,
// between the homeserver's work and its answer. The transaction id is meant for that, but Dendrite notes it only when
// it has answered, and Synapse forgets it with a restart. So the event bears its transaction id in the clear, and
// before a message is sent in doubt it is looked for in the room.

// markKey holds the transaction id in the content of an encrypted event or a reaction. It is a MAC and tells nothing.
const markKey = "org.postern.id"

// barrierType is an event that no client shows. When it can be read, everything that was sent before it can be too.
var barrierType = event.Type{Type: "org.postern.barrier", Class: event.MessageEventType}

const (
	// searchPage is how many events are read at a time, and searchPages how often.
	searchPage  = 100
	searchPages = 2
	// barrierPoll and barrierLimit are how often and how long to look for the barrier.
	barrierPoll  = 50 * time.Millisecond
	barrierLimit = 10 * time.Second
)

// errBarrier: the homeserver took an event and does not show it.
var errBarrier = errors.New("the homeserver does not show an event that it took")

type repeatKey struct{}

// WithRepeat marks what is sent with the context as something that may have been sent before, in an earlier run.
func WithRepeat(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatKey{}, true)
}

// certainty is what is known about the last message that was sent into each room. Messages of a room are sent one
// after the other and an unanswered one is sent again before any other, so at most one can be in doubt.
type certainty struct{ rooms sync.Map } // of id.RoomID to bool, true if the homeserver answered; none: nothing sent yet

func (c *certainty) inDoubt(ctx context.Context, room id.RoomID) bool {
	certain, sent := c.rooms.Load(room)
	if !sent {
		return ctx.Value(repeatKey{}) != nil
	}
	return !certain.(bool)
}

// note takes the outcome of a request that sent a message.
func (c *certainty) note(room id.RoomID, err error) {
	var answer mautrix.HTTPError
	refused := errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < 500
	c.rooms.Store(room, err == nil || refused)
}

// sendOnce sends an encrypted event or a reaction that has a transaction id, or finds it in the room.
func (i *Intent) sendOnce(
	ctx context.Context, room id.RoomID, kind event.Type, content *event.Content, request mautrix.ReqSendEvent,
) (*mautrix.RespSendEvent, error) {
	sent := &i.connector.sent
	if sent.inDoubt(ctx, room) {
		found, err := i.findSent(ctx, room, request.TransactionID)
		if err != nil {
			return nil, fmt.Errorf("failed to check if the message is in the room: %w", err)
		}
		sent.note(room, nil)
		if found != "" {
			zerolog.Ctx(ctx).Info().Stringer("event_id", found).Msg("A message was in the room already")
			return &mautrix.RespSendEvent{EventID: found}, nil
		}
	}
	marked := &event.Content{Parsed: content.Parsed, Raw: map[string]any{markKey: request.TransactionID}}
	maps.Copy(marked.Raw, content.Raw)
	answer, err := i.Matrix.SendMessageEvent(ctx, room, kind, marked, request)
	sent.note(room, err)
	return answer, err
}

// findSent looks among the last events of the room for one of the sender's with the mark. It returns "" if there is none. It reads as the
// sender, who may write there, while the bot may have been taken out of the room.
func (i *Intent) findSent(ctx context.Context, room id.RoomID, mark string) (id.EventID, error) {
	barrier, err := i.Matrix.SendMessageEvent(ctx, room, barrierType, struct{}{})
	if err != nil {
		return "", err
	}
	page, err := i.eventsBefore(ctx, room, barrier.EventID)
	for pages := 1; err == nil; pages++ {
		for _, evt := range page.Chunk {
			if evt != nil && evt.Sender == i.Matrix.UserID && evt.Content.Raw[markKey] == mark {
				return evt.ID, nil
			}
		}
		if pages == searchPages || page.End == "" {
			return "", nil
		}
		page, err = i.Matrix.Messages(ctx, room, page.End, "", mautrix.DirectionBackward, nil, searchPage)
	}
	return "", err
}

// eventsBefore returns the newest events of the room, when the barrier is among them.
func (i *Intent) eventsBefore(ctx context.Context, room id.RoomID, barrier id.EventID) (*mautrix.RespMessages, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, barrierLimit, errBarrier)
	defer cancel()
	for {
		page, err := i.Matrix.Messages(ctx, room, "", "", mautrix.DirectionBackward, nil, searchPage)
		if err != nil {
			return nil, err
		}
		for _, evt := range page.Chunk {
			if evt != nil && evt.ID == barrier {
				return page, nil
			}
		}
		if sleep(ctx, barrierPoll) != nil {
			return nil, context.Cause(ctx)
		}
	}
}
