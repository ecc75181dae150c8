package connector

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/portal"
)

// remoteRemoval takes parts of a message out of the room. bridgev2 could do that, but it forgets a part also when the
// homeserver did not take the deletion, so that it would stay for ever.
type remoteRemoval struct {
	remoteEvent
	message networkid.MessageID
	parts   []*mxdatabase.Message
	// replaced is set if other parts have to be in the room before.
	replaced bool
	// grave is noted in place of the message, if it is not to come back; nil otherwise.
	grave *mxdatabase.Message
	// undone is set if something is left to be done, and has to be tried again.
	undone *error
}

var _ bridgev2.RemotePreHandler = (*remoteRemoval)(nil)

// GetType says that bridgev2 has nothing to do.
func (r *remoteRemoval) GetType() bridgev2.RemoteEventType { return bridgev2.RemoteEventUnknown }

// PreHandle implements bridgev2.RemotePreHandler: all of it is done here, with the chat's lock held.
func (r *remoteRemoval) PreHandle(ctx context.Context, chat *bridgev2.Portal) {
	r.begun = true
	if *r.undone == nil { // else what comes before this was not done
		*r.undone = r.remove(ctx, chat)
	}
}

func (r *remoteRemoval) remove(ctx context.Context, chat *bridgev2.Portal) error {
	ghost, err := chat.Bridge.GetGhostByID(ctx, r.sender)
	if err != nil {
		return fmt.Errorf("failed to load the contact: %w", err)
	}
	if r.replaced {
		rows, err := chat.Bridge.DB.Message.GetAllPartsByID(ctx, chat.Receiver, r.message)
		if err != nil {
			return fmt.Errorf("failed to look for the parts of a message: %w", err)
		} else if len(rows) <= len(r.parts) {
			return errNotReplaced
		}
	}
	for _, part := range r.parts {
		if !part.HasFakeMXID() {
			_, err = ghost.Intent.SendMessage(ctx, chat.MXID, event.EventRedaction, &event.Content{
				Parsed: &event.RedactionEventContent{Redacts: part.MXID},
			}, nil)
		}
		if err != nil && failureKind(err) == failureWait {
			return fmt.Errorf("failed to delete a part of a message: %w", err)
		} else if err != nil {
			zerolog.Ctx(ctx).Warn().Err(err).Stringer("event_id", part.MXID).Msg("The homeserver refuses to delete a part of a message")
		}
		if err = chat.Bridge.DB.Message.Delete(ctx, part.RowID); err != nil {
			return fmt.Errorf("failed to forget a part of a message: %w", err)
		}
	}
	if r.grave == nil {
		return nil
	}
	r.grave.SenderMXID = ghost.Intent.GetMXID()
	if err = chat.Bridge.DB.Message.Insert(ctx, r.grave); err != nil {
		return fmt.Errorf("failed to note that a message was deleted: %w", err)
	}
	return nil
}

// errNotReplaced: what takes the place of a placeholder is not in the room yet, so the placeholder stays.
var errNotReplaced = errors.New("the message is not in the room yet")

// newGrave is what is noted of a deleted message, so that it is not shown when it comes later or again. It names no event.
func newGrave(common *remoteEvent, target networkid.MessageID) *mxdatabase.Message {
	grave := &mxdatabase.Message{
		ID: target, Room: common.key, SenderID: common.sender, Timestamp: common.at, Metadata: &portal.MessageMetadata{Deleted: true},
	}
	grave.SetFakeMXID()
	return grave
}
