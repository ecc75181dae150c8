package jsuser

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
)

// StartDirectChat makes an encrypted direct chat and waits until the other side joined.
func (u *User) StartDirectChat(ctx context.Context, with id.UserID) (id.RoomID, error) {
	var room id.RoomID
	if err := u.client.call(ctx, "directChat", map[string]any{"user": with}, &room); err != nil {
		return "", fmt.Errorf("failed to make a chat with %s: %w", with, err)
	}
	_, err := u.Wait(ctx, "join of "+with.String(), matrixuser.MembershipOf(room, with, event.MembershipJoin))
	return room, err
}

// SendText writes a message without formatting. In an encrypted room it is encrypted.
func (u *User) SendText(ctx context.Context, room id.RoomID, text string) (id.EventID, error) {
	return u.Send(ctx, room, event.EventMessage, event.MessageEventContent{MsgType: event.MsgText, Body: text})
}

// Send sends an event of any type. In an encrypted room it is encrypted, unless it is a reaction.
func (u *User) Send(ctx context.Context, room id.RoomID, kind event.Type, content any) (id.EventID, error) {
	var sent id.EventID
	err := u.client.call(ctx, "send", map[string]any{"room": room, "type": kind.Type, "content": content}, &sent)
	if err != nil {
		return "", fmt.Errorf("failed to send as %s: %w", u.ID(), err)
	}
	return sent, nil
}

// Look returns all events of a room that the client has, as they are shown now.
func (u *User) Look(ctx context.Context, room id.RoomID) ([]*Sight, error) {
	var sights []*Sight
	if err := u.client.call(ctx, "look", map[string]any{"room": room}, &sights); err != nil {
		return nil, fmt.Errorf("failed to look into %s as %s: %w", room, u.ID(), err)
	}
	for _, sight := range sights {
		sight.parse()
	}
	return sights, nil
}
