package connector

import (
	"context"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/portal"
)

// remoteStep is a part of what has to be done to a message that is in the room: parts are changed or added. Parts are taken
// away by a [remoteRemoval].
type remoteStep struct {
	remoteEvent
	target   networkid.MessageID
	existing []*mxdatabase.Message
	edit     *bridgev2.ConvertedEdit
}

var (
	_ bridgev2.RemoteEdit                  = (*remoteStep)(nil)
	_ bridgev2.RemoteEventWithBundledParts = (*remoteStep)(nil)
	_ bridgev2.RemoteEventWithTimestamp    = (*remoteStep)(nil)
)

func (s *remoteStep) GetType() bridgev2.RemoteEventType         { return bridgev2.RemoteEventEdit }
func (s *remoteStep) GetTargetMessage() networkid.MessageID     { return s.target }
func (s *remoteStep) GetTargetDBMessage() []*mxdatabase.Message { return s.existing }

// PreHandle does nothing: the message that the step belongs to was handled so far.
func (s *remoteStep) PreHandle(context.Context, *bridgev2.Portal) {}

// ConvertEdit implements bridgev2.RemoteEdit.
func (s *remoteStep) ConvertEdit(
	context.Context, *bridgev2.Portal, bridgev2.MatrixAPI, []*mxdatabase.Message,
) (*bridgev2.ConvertedEdit, error) {
	return s.edit, nil
}

// remoteEdit is a contact's change of an earlier message.
type remoteEdit struct {
	remoteEvent
	target   networkid.MessageID
	existing []*mxdatabase.Message
	action   *portal.Action
	// surplus is set by ConvertEdit: the parts that the message has no more.
	surplus []*mxdatabase.Message
}

var (
	_ bridgev2.RemoteEdit                     = (*remoteEdit)(nil)
	_ bridgev2.RemoteEventWithBundledParts    = (*remoteEdit)(nil)
	_ bridgev2.RemoteEventWithTimestamp       = (*remoteEdit)(nil)
	_ bridgev2.RemotePreHandler               = (*remoteEdit)(nil)
	_ bridgev2.RemoteEventWithContextMutation = (*remoteEdit)(nil)
)

func (e *remoteEdit) GetType() bridgev2.RemoteEventType         { return bridgev2.RemoteEventEdit }
func (e *remoteEdit) GetTargetMessage() networkid.MessageID     { return e.target }
func (e *remoteEdit) GetTargetDBMessage() []*mxdatabase.Message { return e.existing }

// ConvertEdit implements bridgev2.RemoteEdit. Of a message with a file only the words can be changed, and the event has to
// name the file again: it is read from the room.
func (e *remoteEdit) ConvertEdit(
	ctx context.Context, chat *bridgev2.Portal, _ bridgev2.MatrixAPI, existing []*mxdatabase.Message,
) (*bridgev2.ConvertedEdit, error) {
	var original *event.MessageEventContent
	if portal.HasFile(existing) {
		original = e.client.contentOf(ctx, chat.MXID, existing[0].MXID)
	}
	edit, err := portal.ToMatrixEdit(e.action, existing, original, nil)
	if err != nil {
		return nil, err
	}
	e.surplus, edit.DeletedParts = edit.DeletedParts, nil
	return edit, nil
}

// remoteReaction is a contact's reaction. A person has one for each message, so a new one replaces the old.
type remoteReaction struct {
	remoteEvent
	target networkid.MessageID
	emoji  string
}

var (
	_ bridgev2.RemoteReaction                 = (*remoteReaction)(nil)
	_ bridgev2.RemoteEventWithTimestamp       = (*remoteReaction)(nil)
	_ bridgev2.RemotePreHandler               = (*remoteReaction)(nil)
	_ bridgev2.RemoteEventWithContextMutation = (*remoteReaction)(nil)
)

func (r *remoteReaction) GetType() bridgev2.RemoteEventType     { return bridgev2.RemoteEventReaction }
func (r *remoteReaction) GetTargetMessage() networkid.MessageID { return r.target }

// GetReactionEmoji implements bridgev2.RemoteReaction. Without an id, bridgev2 keeps one reaction a person.
func (r *remoteReaction) GetReactionEmoji() (string, networkid.EmojiID) { return r.emoji, "" }

// remoteReactionRemove takes a contact's reaction back.
type remoteReactionRemove struct {
	remoteEvent
	target networkid.MessageID
}

var (
	_ bridgev2.RemoteReactionRemove           = (*remoteReactionRemove)(nil)
	_ bridgev2.RemoteEventWithTimestamp       = (*remoteReactionRemove)(nil)
	_ bridgev2.RemotePreHandler               = (*remoteReactionRemove)(nil)
	_ bridgev2.RemoteEventWithContextMutation = (*remoteReactionRemove)(nil)
)

func (r *remoteReactionRemove) GetType() bridgev2.RemoteEventType {
	return bridgev2.RemoteEventReactionRemove
}
func (r *remoteReactionRemove) GetTargetMessage() networkid.MessageID { return r.target }
func (r *remoteReactionRemove) GetRemovedEmojiID() networkid.EmojiID  { return "" }

// contentOf reads a message from the room, nil if it cannot be read any more.
func (c *Client) contentOf(ctx context.Context, room id.RoomID, evt id.EventID) *event.MessageEventContent {
	ctx, cancel := context.WithTimeout(ctx, contentTimeout)
	defer cancel()
	found, err := c.network.Matrix.Content(ctx, room, evt)
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("event_id", evt).Msg("Failed to read an earlier message from the room")
		return nil
	}
	content, _ := found.Content.Parsed.(*event.MessageEventContent)
	if content != nil && found.Type == event.EventSticker {
		content.MsgType = event.CapMsgSticker
	}
	return content
}

// contentTimeout bounds reading an earlier message, which holds up the one that refers to it.
const contentTimeout = 10 * time.Second
