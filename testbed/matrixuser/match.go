package matrixuser

import (
	"context"
	"slices"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// MessageIn matches a decrypted or plain message in a room, sent by someone, whose text contains the words. An empty
// room or sender is any.
func MessageIn(room id.RoomID, sender id.UserID, words string) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.MessageEventContent)
		return ok && evt.Type == event.EventMessage && inRoom(evt, room, sender) && strings.Contains(content.Body, words)
	}
}

// NoticeIn is MessageIn for notices, which bots write.
func NoticeIn(room id.RoomID, sender id.UserID, words string) func(*event.Event) bool {
	match := MessageIn(room, sender, words)
	return func(evt *event.Event) bool { return match(evt) && evt.Content.AsMessage().MsgType == event.MsgNotice }
}

// FileIn matches a message of the type, such as m.image, that has an encrypted file.
func FileIn(room id.RoomID, sender id.UserID, kind event.MessageType) func(*event.Event) bool {
	match := MessageIn(room, sender, "")
	return func(evt *event.Event) bool {
		return match(evt) && evt.Content.AsMessage().MsgType == kind && evt.Content.AsMessage().File != nil
	}
}

// StickerIn matches a sticker that is an encrypted file.
func StickerIn(room id.RoomID, sender id.UserID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.MessageEventContent)
		return ok && evt.Type == event.EventSticker && inRoom(evt, room, sender) && content.File != nil
	}
}

// ReplyTo matches a message that answers the event.
func ReplyTo(about id.EventID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.MessageEventContent)
		return ok && content.RelatesTo.GetReplyTo() == about
	}
}

// EditOf matches a message that replaces the event.
func EditOf(about id.EventID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.MessageEventContent)
		return ok && content.RelatesTo.GetReplaceID() == about
	}
}

// ReactionTo matches a reaction to the event. An empty emoji is any.
func ReactionTo(about id.EventID, emoji string) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.ReactionEventContent)
		return ok && content.RelatesTo.GetAnnotationID() == about && (emoji == "" || content.RelatesTo.Key == emoji)
	}
}

// RedactionOf matches a redaction of the event.
func RedactionOf(about id.EventID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.RedactionEventContent)
		return ok && (evt.Redacts == about || content.Redacts == about)
	}
}

// EventIn matches any event of the type in a room, sent by someone. An empty room or sender is any.
func EventIn(room id.RoomID, sender id.UserID, kind event.Type) func(*event.Event) bool {
	return func(evt *event.Event) bool { return evt.Type == kind && inRoom(evt, room, sender) }
}

// MembershipOf matches a member event of the user. An empty room is any.
func MembershipOf(room id.RoomID, user id.UserID, membership event.Membership) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.MemberEventContent)
		return ok && evt.Type == event.StateMember && inRoom(evt, room, "") &&
			evt.GetStateKey() == user.String() && content.Membership == membership
	}
}

// ReadReceiptBy matches a read receipt of the reader for the event.
func ReadReceiptBy(reader id.UserID, about id.EventID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.ReceiptEventContent)
		if !ok {
			return false
		}
		_, read := (*content)[about][event.ReceiptTypeRead][reader]
		return read
	}
}

// ReadBySomeoneElse matches a read receipt for the event of anyone but these users.
func ReadBySomeoneElse(about id.EventID, but ...id.UserID) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.ReceiptEventContent)
		if !ok {
			return false
		}
		for reader := range (*content)[about][event.ReceiptTypeRead] {
			if !slices.Contains(but, reader) {
				return true
			}
		}
		return false
	}
}

// TypingIn matches a typing notification in a room that does or does not name the user.
func TypingIn(room id.RoomID, user id.UserID, typing bool) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.TypingEventContent)
		return ok && evt.RoomID == room && slices.Contains(content.UserIDs, user) == typing
	}
}

// StatusOf matches a message status event about an event. Statuses are pending, success, retriable and permanent
// failures; an empty status is any.
func StatusOf(about id.EventID, status event.MessageStatus) func(*event.Event) bool {
	return func(evt *event.Event) bool {
		content, ok := evt.Content.Parsed.(*event.BeeperMessageStatusEventContent)
		return ok && content.RelatesTo.EventID == about && (status == "" || content.Status == status)
	}
}

// WaitMessage waits for a message as [MessageIn] describes it.
func (u *User) WaitMessage(ctx context.Context, room id.RoomID, sender id.UserID, words string) (*event.Event, error) {
	return u.Wait(ctx, "message with "+words, MessageIn(room, sender, words))
}

func inRoom(evt *event.Event, room id.RoomID, sender id.UserID) bool {
	return (room == "" || evt.RoomID == room) && (sender == "" || evt.Sender == sender)
}
