package matrixuser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// StoredEvent is an event as the homeserver has it.
type StoredEvent struct {
	ID     id.EventID
	Type   string
	Sender id.UserID
	// JSON is the whole event, as the server answers. Its length is what the demo shows as the size.
	JSON json.RawMessage
}

// StoredEvent asks the homeserver for one event and decrypts nothing. It waits until the sync brought the event: Dendrite
// answers a sender before it can show the event to anyone.
func (u *User) StoredEvent(ctx context.Context, room id.RoomID, evt id.EventID) (*StoredEvent, error) {
	if _, err := u.Wait(ctx, "event "+evt.String(), func(synced *event.Event) bool { return synced.ID == evt }); err != nil {
		return nil, err
	}
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

// DirectChats returns the user's m.direct account data: who has which chats.
func (u *User) DirectChats(ctx context.Context) (event.DirectChatsEventContent, error) {
	chats := make(event.DirectChatsEventContent)
	if err := u.Client.GetAccountData(ctx, event.AccountDataDirectChats.Type, &chats); err != nil {
		return nil, fmt.Errorf("failed to get direct chats of %s: %w", u.ID(), err)
	}
	return chats, nil
}
