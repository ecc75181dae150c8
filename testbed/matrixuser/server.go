package matrixuser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// transcriptPage is how many events one request of a transcript asks for.
const transcriptPage = 100

// StoredEvent is an event as the homeserver has it.
type StoredEvent struct {
	ID     id.EventID
	Type   string
	Sender id.UserID
	// JSON is the whole event, as the server answers. Its length is what the demo shows as the size.
	JSON json.RawMessage
}

// StoredEvent asks the homeserver for one event and decrypts nothing.
func (u *User) StoredEvent(ctx context.Context, room id.RoomID, evt id.EventID) (*StoredEvent, error) {
	url := u.Client.BuildClientURL("v3", "rooms", room, "event", evt)
	answer, err := u.Client.MakeRequest(ctx, http.MethodGet, url, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get event %s: %w", evt, err)
	}
	var head struct {
		ID     id.EventID `json:"event_id"`
		Type   string     `json:"type"`
		Sender id.UserID  `json:"sender"`
	}
	if err = json.Unmarshal(answer, &head); err != nil {
		return nil, fmt.Errorf("failed to parse event %s: %w", evt, err)
	}
	return &StoredEvent{ID: head.ID, Type: head.Type, Sender: head.Sender, JSON: answer}, nil
}

// Transcript returns the messages of a room from first to last in the server's order, decrypted. Events that are not
// messages are left out; one that cannot be decrypted is an error.
func (u *User) Transcript(ctx context.Context, room id.RoomID) ([]*event.Event, error) {
	var messages []*event.Event
	from := ""
	for {
		page, err := u.Client.Messages(ctx, room, from, "", mautrix.DirectionBackward, nil, transcriptPage)
		if err != nil {
			return nil, fmt.Errorf("failed to read %s: %w", room, err)
		}
		for _, evt := range page.Chunk {
			message, err := u.openStored(ctx, room, evt)
			if err != nil {
				return nil, err
			}
			if message != nil {
				messages = append(messages, message)
			}
		}
		if page.End == "" || page.End == from || len(page.Chunk) == 0 {
			slices.Reverse(messages)
			return messages, nil
		}
		from = page.End
	}
}

// openStored returns the event as a parsed message, nil if it is none.
func (u *User) openStored(ctx context.Context, room id.RoomID, evt *event.Event) (*event.Event, error) {
	evt.RoomID = room
	if evt.StateKey != nil {
		return nil, nil
	}
	evt.Type.Class = event.MessageEventType
	if evt.Type != event.EventEncrypted && evt.Type != event.EventMessage {
		return nil, nil
	}
	if err := evt.Content.ParseRaw(evt.Type); err != nil {
		return nil, fmt.Errorf("failed to parse event %s: %w", evt.ID, err)
	}
	if evt.Type == event.EventMessage {
		return evt, nil
	}
	opened, err := u.decrypt(ctx, evt)
	if err != nil {
		return nil, fmt.Errorf("failed to decrypt event %s: %w", evt.ID, err)
	}
	if opened.Type != event.EventMessage {
		return nil, nil
	}
	return opened, nil
}

// DirectChats returns the user's m.direct account data: who has which chats.
func (u *User) DirectChats(ctx context.Context) (event.DirectChatsEventContent, error) {
	chats := make(event.DirectChatsEventContent)
	if err := u.Client.GetAccountData(ctx, event.AccountDataDirectChats.Type, &chats); err != nil {
		return nil, fmt.Errorf("failed to get direct chats of %s: %w", u.ID(), err)
	}
	return chats, nil
}
