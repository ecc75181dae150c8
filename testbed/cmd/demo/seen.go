package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/whatsapp"
)

var (
	errReadable = errors.New("the homeserver can read a message")
	errNotMet   = errors.New("the gatekeeper saw a message without ciphertext")
)

// onHomeserver asks the homeserver for the event and says what it has. A readable message is an error.
func (s *scene) onHomeserver(ctx context.Context, room id.RoomID, evt id.EventID) (string, error) {
	stored, err := s.alice.StoredEvent(ctx, room, evt)
	if err != nil {
		return "", err
	}
	if stored.Type != event.EventEncrypted.Type {
		return "", fmt.Errorf("%w: it is of type %s", errReadable, stored.Type)
	}
	return fmt.Sprintf("homeserver has %s, %d bytes", stored.Type, len(stored.JSON)), nil
}

// fileOnHomeserver asks the homeserver for a file as it is stored there. One that is as it was sent is an error.
func (s *scene) fileOnHomeserver(ctx context.Context, content *event.MessageEventContent, sent []byte) (string, error) {
	stored, err := s.alice.StoredFile(ctx, content.File.URL)
	if err != nil {
		return "", err
	}
	if bytes.Contains(stored, sent[:min(len(sent), 32)]) {
		return "", fmt.Errorf("%w: a file is stored as it was sent", errReadable)
	}
	return fmt.Sprintf("homeserver has ciphertext, %d bytes", len(stored)), nil
}

// atGatekeeper asks the sandbox what it saw of the message. A message without ciphertext is an error.
func (s *scene) atGatekeeper(ctx context.Context, message types.MessageID) (string, error) {
	record, err := s.stack.Gatekeeper.WaitMessage(ctx, message)
	if err != nil {
		return "", err
	}
	if len(record.Enc) == 0 {
		return "", fmt.Errorf("%w: %s", errNotMet, message)
	}
	return fmt.Sprintf("gatekeeper saw Signal %s, %d bytes", strings.Join(record.Enc, " + "), record.Size), nil
}

func text(message *events.Message) string { return whatsapp.Text(message.Message) }
