package connector

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
	"postern/interop"
	"postern/portal"
)

// reference is what interop carries from Send to the result: the event in the room, and what kind it is. It is stored as
// the two with a space between; a message's is the event's id alone.
type reference struct {
	kind  referenceKind
	event id.EventID
}

type referenceKind string

const (
	isMessage   referenceKind = ""
	isEdit      referenceKind = "edit"
	isReaction  referenceKind = "reaction"
	isRedaction referenceKind = "redaction"
)

func (r reference) String() string {
	return strings.TrimSpace(string(r.kind) + " " + r.event.String())
}

func parseReference(text string) reference {
	if kind, evt, ok := strings.Cut(text, " "); ok {
		return reference{kind: referenceKind(kind), event: id.EventID(evt)}
	}
	return reference{kind: isMessage, event: id.EventID(text)}
}

// EventOf is the event that a stored reference names.
func EventOf(text string) id.EventID { return parseReference(text).event }

// ReferencesTo are all that an event can have, as they are stored.
func ReferencesTo(event id.EventID) [4]string {
	return [4]string{
		reference{isMessage, event}.String(), reference{isEdit, event}.String(),
		reference{isReaction, event}.String(), reference{isRedaction, event}.String(),
	}
}

// statusInfo says what a status is about.
func (r reference) statusInfo(room id.RoomID, sender id.UserID) *bridgev2.MessageStatusEventInfo {
	info := &bridgev2.MessageStatusEventInfo{
		RoomID: room, SourceEventID: r.event, Sender: sender, EventType: event.EventMessage, MessageType: event.MsgText,
	}
	switch r.kind {
	case isEdit:
		info.MessageType = homeserver.MsgEdit
	case isReaction:
		info.EventType, info.MessageType = event.EventReaction, ""
	case isRedaction:
		info.EventType, info.MessageType = event.EventRedaction, ""
	}
	return info
}

// sendResult tells the sender what became of a message. It may come twice, and after a restart. A refusal counts as told
// only when the notice is in the room; a success is told soon, since the contact's receipt tells it once more.
func (c *Client) sendResult(ctx context.Context, result *interop.SendResult) error {
	contact, err := portal.UserID(c.gatekeeper.ID, result.Chat)
	if err != nil {
		return err
	}
	room, err := c.room(ctx, portal.Key(c.login.ID, contact))
	if err != nil || room == "" || result.Ref == "" {
		return err
	}
	ref := parseReference(result.Ref)
	info := ref.statusInfo(room, c.login.UserMXID)
	if result.Err == nil {
		c.login.Log.Info().Str(fieldMessage, result.ID).Stringer(fieldEvent, ref.event).Stringer(fieldRoom, room).
			Str("kind", result.Kind).Dur("took", time.Since(result.Queued)).Msg("A message of a user is done")
		c.network.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{Status: event.MessageStatusSuccess}, info)
		return nil
	}
	c.login.Log.Warn().Err(result.Err).Str(fieldMessage, result.ID).Stringer(fieldEvent, ref.event).Stringer(fieldRoom, room).
		Msg("A message was refused for good")
	return c.network.Matrix.ReportFailure(ctx, &bridgev2.MessageStatus{
		Status:        event.MessageStatusFail,
		ErrorReason:   event.MessageStatusNetworkError,
		InternalError: result.Err,
		Message:       textSendFailed(c.gatekeeperName(), result.Err),
		IsCertain:     !errors.Is(result.Err, interop.ErrUnconfirmed),
		SendNotice:    true,
	}, info)
}
