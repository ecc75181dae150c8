package whatsapp

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"postern/testbed/record"
)

// shownEvents is how many of the last events an error about waiting in vain shows.
const shownEvents = 15

// Mark returns the present end of what the device received.
func (d *Device) Mark() record.Mark { return d.events.Mark() }

// Since returns what the device received after the mark, as whatsmeow's events.
func (d *Device) Since(mark record.Mark) []any { return d.events.Since(mark) }

// WaitAfter returns the first of whatsmeow's events after the mark that matches. what names it in an error, which
// wraps [record.ErrNoMatch].
func (d *Device) WaitAfter(ctx context.Context, mark record.Mark, what string, match func(any) bool) (any, error) {
	evt, err := d.events.Wait(ctx, mark, match)
	if err != nil {
		return nil, fmt.Errorf("%s for %s %w%s", what, d.JID(), err, d.describe(mark))
	}
	return evt, nil
}

// WaitMessage waits for a message whose text contains the words.
func (d *Device) WaitMessage(ctx context.Context, words string) (*events.Message, error) {
	return d.WaitMessageWhere(ctx, "message with "+words, func(message *events.Message) bool {
		return strings.Contains(Text(message.Message), words)
	})
}

// WaitMessageWhere waits for a message that matches. what names it in an error.
func (d *Device) WaitMessageWhere(ctx context.Context, what string, match func(*events.Message) bool) (*events.Message, error) {
	evt, err := d.WaitAfter(ctx, 0, what, func(evt any) bool {
		message, ok := evt.(*events.Message)
		return ok && match(message)
	})
	if err != nil {
		return nil, err
	}
	return evt.(*events.Message), nil
}

// NextMessage returns the first message after the mark, and the mark behind it.
func (d *Device) NextMessage(ctx context.Context, mark record.Mark) (*events.Message, record.Mark, error) {
	evt, next, err := d.events.Next(ctx, mark, func(evt any) bool {
		_, ok := evt.(*events.Message)
		return ok
	})
	if err != nil {
		return nil, mark, fmt.Errorf("message for %s %w", d.JID(), err)
	}
	return evt.(*events.Message), next, nil
}

// WaitReceipt waits until a receipt of the kind comes for the message.
func (d *Device) WaitReceipt(ctx context.Context, id types.MessageID, kind types.ReceiptType) error {
	what := fmt.Sprintf("receipt %q for %s", kind, id)
	_, err := d.WaitAfter(ctx, 0, what, func(evt any) bool {
		receipt, ok := evt.(*events.Receipt)
		return ok && receipt.Type == kind && slices.Contains(receipt.MessageIDs, id)
	})
	return err
}

// WaitTyping waits until the other side types or stops, after the mark.
func (d *Device) WaitTyping(ctx context.Context, mark record.Mark, state types.ChatPresence) error {
	_, err := d.WaitAfter(ctx, mark, "typing "+string(state), func(evt any) bool {
		typing, ok := evt.(*events.ChatPresence)
		return ok && typing.State == state
	})
	return err
}

// Messages returns everything the device received, in its order.
func (d *Device) Messages() []*events.Message {
	var messages []*events.Message
	for _, evt := range d.events.Since(0) {
		if message, ok := evt.(*events.Message); ok {
			messages = append(messages, message)
		}
	}
	return messages
}

// Text returns the text of a message, "" if it has none.
func Text(message *waE2E.Message) string {
	if text := message.GetConversation(); text != "" {
		return text
	}
	return message.GetExtendedTextMessage().GetText()
}

// describe lists the last events after the mark for an error text.
func (d *Device) describe(mark record.Mark) string {
	received := d.events.Since(mark)
	var text strings.Builder
	for _, evt := range received[max(0, len(received)-shownEvents):] {
		fmt.Fprintf(&text, "\n  saw %T", evt)
		switch evt := evt.(type) {
		case *events.Message:
			fmt.Fprintf(&text, " %s: %q", evt.Info.ID, Text(evt.Message))
		case *events.UndecryptableMessage:
			fmt.Fprintf(&text, " %s", evt.Info.ID)
		case *events.Receipt:
			fmt.Fprintf(&text, " %q for %v", evt.Type, evt.MessageIDs)
		}
	}
	return text.String()
}
