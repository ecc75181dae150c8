package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"postern/bridge/homeserver"
	"postern/portal"
)

// remoteEvent is what all events from a contact have in common for bridgev2.
type remoteEvent struct {
	client *Client
	key    networkid.PortalKey
	sender networkid.UserID // "" is the bridge itself
	at     time.Time
	// repeated is set for what may have been delivered by an earlier run of the daemon.
	repeated bool
	// cause is the id of the message that changes an earlier one; "" for what is shown itself.
	cause types.MessageID
	// logID is the id of the message that it comes of; "" if of none.
	logID types.MessageID
	// begun is set when bridgev2 has the room and handles the event. An event that it ignored before that is not
	// delivered: its chat was deleted under it.
	begun bool
	// sent collects the events that came of it, for the log. nil does not.
	sent *homeserver.Sent
	// failure is why the homeserver did not take what was sent for the event.
	failure homeserver.Failure
}

func (e *remoteEvent) GetPortalKey() networkid.PortalKey { return e.key }
func (e *remoteEvent) GetTimestamp() time.Time           { return e.at }
func (e *remoteEvent) GetSender() bridgev2.EventSender   { return bridgev2.EventSender{Sender: e.sender} }

func (e *remoteEvent) AddLogContext(c zerolog.Context) zerolog.Context {
	if e.logID != "" {
		c = c.Str(fieldMessage, e.logID)
	}
	return c.Time("gatekeeper_time", e.at)
}

// MutateContext implements bridgev2.RemoteEventWithContextMutation.
func (e *remoteEvent) MutateContext(ctx context.Context) context.Context {
	if e.repeated {
		ctx = homeserver.WithRepeat(ctx)
	}
	if e.cause != "" {
		ctx = homeserver.WithCause(ctx, e.cause)
	}
	if e.sent != nil {
		ctx = homeserver.WithSent(ctx, e.sent)
	}
	return homeserver.WithFailure(ctx, &e.failure)
}

// PreHandle implements bridgev2.RemotePreHandler. It is called when the room exists, with the portal's lock held.
func (e *remoteEvent) PreHandle(ctx context.Context, chat *bridgev2.Portal) {
	e.begun = true
	e.client.completeRoom(ctx, chat)
}

// remoteMessage is a message from the contact, a placeholder for one, or a notice of the bridge: message, placeholder or
// notice is set. Any of them makes the room if there is none.
type remoteMessage struct {
	remoteEvent
	id          networkid.MessageID
	message     *waE2E.Message
	placeholder bool
	notice      string
	// replaces is set for a notice that stands for a message: it takes the place of the message's placeholder.
	replaces bool

	// context is what the message needs to be shown; see prepare.
	context portal.Context
	// shown is set for a message that is in the room already, file and all.
	shown bool
	// instead is what is shown because the message's file cannot be had.
	instead *bridgev2.ConvertedMessage
	// editedAt is set for an edit that takes the place of its message.
	editedAt time.Time
	// disappears is set by ConvertMessage if the message has a timer.
	disappears bool
	// undone is set if a placeholder could not be taken away, which has to be tried again.
	undone error
}

// rawID is the id as it is in the chat channel, for the log.
func (m *remoteMessage) rawID() types.MessageID { return RawMessageID(m.id) }

// RawMessageID is the id that a message has in the chat channel, "" if it is not one of ours.
func RawMessageID(id networkid.MessageID) types.MessageID {
	_, _, messageID, err := portal.ParseMessageID(id)
	if err != nil {
		return ""
	}
	return messageID
}

var (
	_ bridgev2.RemoteMessageUpsert            = (*remoteMessage)(nil)
	_ bridgev2.RemoteEventThatMayCreatePortal = (*remoteMessage)(nil)
	_ bridgev2.RemoteEventWithTimestamp       = (*remoteMessage)(nil)
	_ bridgev2.RemotePreHandler               = (*remoteMessage)(nil)
	_ bridgev2.RemoteEventWithContextMutation = (*remoteMessage)(nil)
)

func (m *remoteMessage) GetType() bridgev2.RemoteEventType { return bridgev2.RemoteEventMessageUpsert }
func (m *remoteMessage) GetID() networkid.MessageID        { return m.id }
func (m *remoteMessage) ShouldCreatePortal() bool          { return true }

// ConvertMessage implements bridgev2.RemoteMessage.
func (m *remoteMessage) ConvertMessage(ctx context.Context, chat *bridgev2.Portal, _ bridgev2.MatrixAPI) (*bridgev2.ConvertedMessage, error) {
	if m.sender != "" { // who was blocked after the message passed the gate
		if blocked, err := m.client.isBlockedContact(ctx, m.sender); err != nil {
			return nil, err
		} else if blocked {
			return nil, fmt.Errorf("%w: the sender is blocked", bridgev2.ErrIgnoringRemoteEvent)
		}
	}
	switch {
	case m.instead != nil:
		return m.instead, nil
	case m.placeholder:
		return portal.Placeholder(), nil
	case m.notice != "":
		return portal.Notice(m.notice), nil
	}
	converted, err := portal.ToMatrix(m.message, &m.context)
	if err != nil {
		return nil, err
	}
	if !m.editedAt.IsZero() {
		portal.MarkEdited(converted, m.editedAt)
	}
	m.setTimer(ctx, chat, converted)
	return converted, nil
}

// setTimer has the message disappear if its sender wants that. The chat's timer follows: the change of it may have been
// missed, or be older than the room.
func (m *remoteMessage) setTimer(ctx context.Context, chat *bridgev2.Portal, converted *bridgev2.ConvertedMessage) {
	timer := portal.Timer(m.message)
	if timer == 0 || chat == nil {
		return
	}
	setTimer(ctx, chat, timer, true)
	converted.Disappear = mxdatabase.DisappearingSetting{Type: event.DisappearingTypeAfterSend, Timer: timer}
	m.disappears = true
}

// HandleExisting implements bridgev2.RemoteMessageUpsert: the message, or a part of it, is in the room already. What is
// missing is added, and a placeholder gives way to the real message, once.
func (m *remoteMessage) HandleExisting(
	ctx context.Context, chat *bridgev2.Portal, intent bridgev2.MatrixAPI, existing []*mxdatabase.Message,
) (bridgev2.UpsertResult, error) {
	switch {
	case portal.IsDeleted(existing):
		return bridgev2.UpsertResult{}, nil
	case m.message == nil && !m.placeholder && !(m.replaces && portal.HasPlaceholder(existing)):
		return bridgev2.UpsertResult{}, nil // it is there, or something better is
	case m.placeholder && portal.HasPlaceholder(existing):
		return bridgev2.UpsertResult{}, nil
	case m.instead != nil && portal.IsUnfetched(existing):
		return bridgev2.UpsertResult{}, nil
	}
	converted, err := m.ConvertMessage(ctx, chat, intent)
	if errors.Is(err, bridgev2.ErrIgnoringRemoteEvent) {
		return m.then(existing, removal(existing)), nil
	} else if err != nil {
		return bridgev2.UpsertResult{}, err
	}
	return m.then(existing, portal.Complete(existing, converted)), nil
}

// removal takes a placeholder away for a message that turned out to be nothing to show.
func removal(existing []*mxdatabase.Message) []*bridgev2.ConvertedEdit {
	if !portal.HasPlaceholder(existing) {
		return nil
	}
	return []*bridgev2.ConvertedEdit{{DeletedParts: existing}}
}

// then has edits carried out, one after the other. bridgev2 goes on after one that failed.
func (m *remoteMessage) then(existing []*mxdatabase.Message, edits []*bridgev2.ConvertedEdit) (result bridgev2.UpsertResult) {
	added := false
	for _, edit := range edits {
		if edit.ModifiedParts != nil || edit.AddedParts != nil {
			result.SubEvents = append(result.SubEvents, &remoteStep{
				remoteEvent: m.remoteEvent, target: m.id, existing: existing,
				edit: &bridgev2.ConvertedEdit{ModifiedParts: edit.ModifiedParts, AddedParts: edit.AddedParts},
			})
		}
		if edit.DeletedParts != nil {
			result.SubEvents = append(result.SubEvents, &remoteRemoval{
				remoteEvent: m.remoteEvent, message: m.id, parts: edit.DeletedParts, replaced: added, undone: &m.undone,
			})
		}
		added = added || edit.AddedParts != nil
	}
	return result
}

// remoteReceipt says that the contact read messages of ours.
type remoteReceipt struct {
	remoteEvent
	targets []networkid.MessageID
}

var _ bridgev2.RemoteReadReceipt = (*remoteReceipt)(nil)

func (r *remoteReceipt) GetType() bridgev2.RemoteEventType         { return bridgev2.RemoteEventReadReceipt }
func (r *remoteReceipt) GetLastReceiptTarget() networkid.MessageID { return "" }
func (r *remoteReceipt) GetReceiptTargets() []networkid.MessageID  { return r.targets }
func (r *remoteReceipt) GetReadUpTo() time.Time                    { return time.Time{} }

// typingTimeout is how long a contact is shown as typing if nothing more comes. WhatsApp clients repeat it every ten
// seconds or so.
const typingTimeout = 20 * time.Second

// remoteTyping says that the contact types or stopped.
type remoteTyping struct {
	remoteEvent
	composing, recording bool
}

var _ bridgev2.RemoteTypingWithType = (*remoteTyping)(nil)

func (t *remoteTyping) GetType() bridgev2.RemoteEventType { return bridgev2.RemoteEventTyping }

func (t *remoteTyping) GetTimeout() time.Duration {
	if t.composing {
		return typingTimeout
	}
	return 0
}

// GetTypingType implements bridgev2.RemoteTypingWithType. Matrix has no word for recording, so it counts as typing.
func (t *remoteTyping) GetTypingType() bridgev2.TypingType { return bridgev2.TypingTypeText }
