package baseline

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
)

// ciphertextBytes is how long the ciphertext of a short message is: Megolm adds about 100 bytes to the event's JSON.
const ciphertextBytes = 260

// sender is a user with a room that others are in, too.
type sender struct {
	client *mautrix.Client
	room   id.RoomID
}

// newSender registers a user and makes a room with as many members as a portal has: the contact, the user and the bot.
func newSender(ctx context.Context, server *homeserver.Server, name string, others ...*mautrix.Client) (*sender, error) {
	client, err := newClient(ctx, server, name)
	if err != nil {
		return nil, err
	}
	request := &mautrix.ReqCreateRoom{
		Preset: "trusted_private_chat",
		InitialState: []*event.Event{{
			Type:    event.StateEncryption,
			Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}},
		}},
	}
	for _, other := range others {
		request.Invite = append(request.Invite, other.UserID)
	}
	created, err := client.CreateRoom(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("failed to make a room for %s: %w", name, err)
	}
	for _, other := range others {
		if _, err = other.JoinRoomByID(ctx, created.RoomID); err != nil {
			return nil, fmt.Errorf("failed to join the room of %s: %w", name, err)
		}
	}
	return &sender{client: client, room: created.RoomID}, nil
}

// newClient registers a user that neither syncs nor encrypts.
func newClient(ctx context.Context, server *homeserver.Server, name string) (*mautrix.Client, error) {
	account, err := server.CreateUser(ctx, name, "password of "+name)
	if err != nil {
		return nil, err
	}
	client, err := mautrix.NewClient(server.URL(), id.UserID(account.UserID), account.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("failed to make client for %s: %w", name, err)
	}
	return client, nil
}

// send puts an event into the room that looks like an encrypted message of the usual size.
func (s *sender) send(ctx context.Context) (id.EventID, error) {
	noise := make([]byte, ciphertextBytes)
	_, _ = rand.Read(noise) // never fails, see its documentation
	content := map[string]any{
		"algorithm":  id.AlgorithmMegolmV1,
		"ciphertext": base64.RawStdEncoding.EncodeToString(noise),
		"device_id":  "ABCDEFGHIJ",
		"sender_key": base64.RawStdEncoding.EncodeToString(noise[:32]),
		"session_id": base64.RawStdEncoding.EncodeToString(noise[32:64]),
	}
	sent, err := s.client.SendMessageEvent(ctx, s.room, event.EventEncrypted, content)
	if err != nil {
		return "", fmt.Errorf("failed to send: %w", err)
	}
	return sent.EventID, nil
}
