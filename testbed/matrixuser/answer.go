package matrixuser

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Reply answers an event with text.
func (u *User) Reply(ctx context.Context, room id.RoomID, to *event.Event, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	content.SetReply(to)
	return u.Send(ctx, room, content)
}

// Edit gives a text message of the user a new text.
func (u *User) Edit(ctx context.Context, room id.RoomID, target id.EventID, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	content.SetEdit(target)
	return u.Send(ctx, room, content)
}

// React puts an emoji on an event. Redacting the reaction takes it away.
func (u *User) React(ctx context.Context, room id.RoomID, target id.EventID, emoji string) (id.EventID, error) {
	return u.sendAs(ctx, room, event.EventReaction, &event.ReactionEventContent{
		RelatesTo: event.RelatesTo{Type: event.RelAnnotation, EventID: target, Key: emoji},
	})
}

// Redact takes an event back.
func (u *User) Redact(ctx context.Context, room id.RoomID, target id.EventID) (id.EventID, error) {
	sent, err := u.Client.RedactEvent(ctx, room, target)
	if err != nil {
		return "", fmt.Errorf("failed to redact %s as %s: %w", target, u.ID(), err)
	}
	return sent.EventID, nil
}
