package matrixuser

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Transcript returns the messages of a room that have arrived, as the user's client shows them: each event once, in the order in which the
// homeserver's syncs brought them, decrypted. It waits for keys that are under way.
//
// Paging back through the room would be the other way to read it. Dendrite's pages overlap or leave events out where
// two people wrote at the same time.
func (u *User) Transcript(ctx context.Context, room id.RoomID) ([]*event.Event, error) {
	var messages []*event.Event
	seen := make(map[id.EventID]bool)
	for _, evt := range u.events.Since(0) {
		if evt.RoomID != room || seen[evt.ID] || (evt.Type != event.EventEncrypted && evt.Type != event.EventMessage) {
			continue
		}
		seen[evt.ID] = true
		opened, err := u.Wait(ctx, "decrypted "+evt.ID.String(), func(other *event.Event) bool {
			return other.ID == evt.ID && other.Type != event.EventEncrypted
		})
		if err != nil {
			return nil, err
		}
		if opened.Type == event.EventMessage {
			messages = append(messages, opened)
		}
	}
	return messages, nil
}
