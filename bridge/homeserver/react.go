package homeserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// errDuplicateReaction: the homeserver has this reaction of the sender. Synapse says so, Dendrite takes another one.
var errDuplicateReaction = mautrix.RespError{ErrCode: "M_DUPLICATE_ANNOTATION"}

const (
	// reactionsPage is how many reactions to a message are read at a time, and reactionPages how often.
	reactionsPage = 100
	reactionPages = 5
)

// react sends a reaction, once: like a message, one that is in doubt is looked for in the room. If that does not find it
// and the homeserver refuses it as a duplicate, it was sent longer ago than the search goes, and then the event that the
// homeserver has is the one. The refusal is believed only if that event is found: bridgev2 needs its id to take the
// reaction back one day.
func (i *Intent) react(
	ctx context.Context, room id.RoomID, content *event.Content, extra *bridgev2.MatrixSendExtra,
) (*mautrix.RespSendEvent, error) {
	request := i.request(ctx, room, extra)
	var answer *mautrix.RespSendEvent
	var err error
	if request.TransactionID != "" {
		answer, err = i.sendOnce(ctx, room, event.EventReaction, content, request)
	} else {
		answer, err = i.Matrix.SendMessageEvent(ctx, room, event.EventReaction, content, request)
	}
	reaction, ok := content.Parsed.(*event.ReactionEventContent)
	if !ok || !errors.Is(err, errDuplicateReaction) {
		return answer, err
	}
	found, searchErr := i.connector.findReaction(ctx, room, i.Matrix.UserID, reaction.RelatesTo)
	switch {
	case searchErr != nil:
		return nil, fmt.Errorf("failed to look for a reaction that the homeserver has: %w", searchErr)
	case found == "":
		return nil, err
	}
	zerolog.Ctx(ctx).Info().Stringer("event_id", found).Msg("A reaction was in the room already")
	return &mautrix.RespSendEvent{EventID: found}, nil
}

// findReaction looks for the sender's reaction with this key among those to the message. It returns "" if there is none.
func (c *Connector) findReaction(ctx context.Context, room id.RoomID, sender id.UserID, to event.RelatesTo) (id.EventID, error) {
	query := &mautrix.ReqGetRelations{RelationType: event.RelAnnotation, EventType: event.EventReaction, Limit: reactionsPage}
	for range reactionPages {
		page, err := c.Bot.GetRelations(ctx, room, to.EventID, query)
		if err != nil {
			return "", err
		}
		for _, evt := range page.Chunk {
			if evt == nil || evt.Sender != sender || evt.Type.Type != event.EventReaction.Type {
				continue
			}
			prepare(ctx, evt, event.UnknownEventType)
			content, ok := evt.Content.Parsed.(*event.ReactionEventContent)
			if ok && content.RelatesTo.EventID == to.EventID && content.RelatesTo.Key == to.Key {
				return evt.ID, nil
			}
		}
		if page.NextBatch == "" {
			break
		}
		query.From = page.NextBatch
	}
	return "", nil
}
