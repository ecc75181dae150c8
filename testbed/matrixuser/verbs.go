package matrixuser

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"
)

// typingTimeout is how long the server shows typing that is not ended.
const typingTimeout = 30 * time.Second

// StartDirectChat makes an encrypted direct chat, as Element does by default, and waits until the other side joined.
func (u *User) StartDirectChat(ctx context.Context, with id.UserID) (id.RoomID, error) {
	room, err := u.InviteToDirectChat(ctx, with, true)
	if err != nil {
		return "", err
	}
	_, err = u.Wait(ctx, "join of "+with.String(), MembershipOf(room, with, event.MembershipJoin))
	return room, err
}

// InviteToDirectChat makes a direct chat and does not wait for anyone. With nobody to invite, the user stays alone.
func (u *User) InviteToDirectChat(ctx context.Context, with id.UserID, encrypted bool) (id.RoomID, error) {
	request := &mautrix.ReqCreateRoom{
		Preset:   "trusted_private_chat",
		IsDirect: true,
	}
	if with != "" {
		request.Invite = []id.UserID{with}
	}
	if encrypted {
		request.InitialState = []*event.Event{{
			Type:    event.StateEncryption,
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		}}
	}
	created, err := u.Client.CreateRoom(ctx, request)
	if err != nil {
		return "", fmt.Errorf("failed to make a chat with %s: %w", with, err)
	}
	// Sending before the sync brought the room's state would send in the clear.
	_, err = u.Wait(ctx, "own join", MembershipOf(created.RoomID, u.ID(), event.MembershipJoin))
	return created.RoomID, err
}

// SendText writes a message without formatting. In an encrypted room it is encrypted.
func (u *User) SendText(ctx context.Context, room id.RoomID, text string) (id.EventID, error) {
	return u.Send(ctx, room, &event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// SendMarkdown writes a message with formatting, as Element makes it from what is typed.
func (u *User) SendMarkdown(ctx context.Context, room id.RoomID, markdown string) (id.EventID, error) {
	content := format.RenderMarkdown(markdown, true, false)
	return u.Send(ctx, room, &content)
}

// Send writes a message.
func (u *User) Send(ctx context.Context, room id.RoomID, content *event.MessageEventContent) (id.EventID, error) {
	return u.sendAs(ctx, room, event.EventMessage, content)
}

// sendAs sends an event of any type. In an encrypted room it is encrypted, unless it is a reaction.
func (u *User) sendAs(ctx context.Context, room id.RoomID, kind event.Type, content any) (id.EventID, error) {
	sent, err := u.Client.SendMessageEvent(ctx, room, kind, content)
	if err != nil {
		return "", fmt.Errorf("failed to send as %s: %w", u.ID(), err)
	}
	return sent.EventID, nil
}

// Ask writes a message and returns the next message that the other side sends after it.
func (u *User) Ask(ctx context.Context, room id.RoomID, other id.UserID, text string) (*event.Event, error) {
	mark := u.Mark()
	if _, err := u.SendText(ctx, room, text); err != nil {
		return nil, err
	}
	return u.WaitAfter(ctx, mark, fmt.Sprintf("answer to %q", text), MessageIn(room, other, ""))
}

// Join accepts an invitation and waits until the sync shows it.
func (u *User) Join(ctx context.Context, room id.RoomID) error {
	if _, err := u.Client.JoinRoomByID(ctx, room); err != nil {
		return fmt.Errorf("failed to join %s as %s: %w", room, u.ID(), err)
	}
	_, err := u.Wait(ctx, "own join", MembershipOf(room, u.ID(), event.MembershipJoin))
	return err
}

// AcceptInvitations joins every room that someone invites the user to from now on, until the user is closed.
func (u *User) AcceptInvitations(from id.UserID) {
	mark := u.Mark()
	u.stopped.Go(func() {
		for {
			evt, next, err := u.events.Next(u.life, mark, func(evt *event.Event) bool {
				return evt.Sender == from && MembershipOf("", u.ID(), event.MembershipInvite)(evt)
			})
			if err != nil {
				return
			}
			mark = next
			_, _ = u.Client.JoinRoomByID(u.life, evt.RoomID) // fails if the user was joined meanwhile
		}
	})
}

// Reject refuses an invitation, or leaves a room.
func (u *User) Reject(ctx context.Context, room id.RoomID) error {
	if _, err := u.Client.LeaveRoom(ctx, room); err != nil {
		return fmt.Errorf("failed to leave %s as %s: %w", room, u.ID(), err)
	}
	return nil
}

// MarkRead sends a public read receipt for the event.
func (u *User) MarkRead(ctx context.Context, room id.RoomID, evt id.EventID) error {
	if err := u.Client.MarkRead(ctx, room, evt); err != nil {
		return fmt.Errorf("failed to mark %s as read: %w", evt, err)
	}
	return nil
}

// Typing tells the room that the user types or stopped.
func (u *User) Typing(ctx context.Context, room id.RoomID, typing bool) error {
	if _, err := u.Client.UserTyping(ctx, room, typing, typingTimeout); err != nil {
		return fmt.Errorf("failed to send typing: %w", err)
	}
	return nil
}
