package whatsapp

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// SendText writes a message, with WhatsApp's own marks for formatting, and returns its id when the gatekeeper has it.
func (d *Device) SendText(ctx context.Context, to types.JID, text string) (types.MessageID, error) {
	return d.Send(ctx, to, &waE2E.Message{Conversation: proto.String(text)})
}

// Send writes a message of any kind and returns its id when the gatekeeper has it.
func (d *Device) Send(ctx context.Context, to types.JID, message *waE2E.Message) (types.MessageID, error) {
	return d.SendRaw(ctx, to, message, d.Client.GenerateMessageID())
}

// SendRaw is Send with an id that the caller chose, such as one that was used before.
func (d *Device) SendRaw(ctx context.Context, to types.JID, message *waE2E.Message, id types.MessageID) (types.MessageID, error) {
	sent, err := d.client.Send(ctx, to, message, id)
	if err != nil {
		return "", fmt.Errorf("failed to send as %s: %w", d.JID(), err)
	}
	return sent.ID, nil
}

// MarkRead tells the sender that messages were read.
func (d *Device) MarkRead(ctx context.Context, chat types.JID, ids ...types.MessageID) error {
	if err := d.Client.MarkRead(ctx, ids, time.Now(), chat, types.EmptyJID); err != nil {
		return fmt.Errorf("failed to mark as read: %w", err)
	}
	return nil
}

// Typing tells a chat that the user types or stopped.
func (d *Device) Typing(ctx context.Context, chat types.JID, typing bool) error {
	state := types.ChatPresencePaused
	if typing {
		state = types.ChatPresenceComposing
	}
	if err := d.Client.SendChatPresence(ctx, chat, state, types.ChatPresenceMediaText); err != nil {
		return fmt.Errorf("failed to send typing: %w", err)
	}
	return nil
}
