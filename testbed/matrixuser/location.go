package matrixuser

import (
	"context"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// SendLocation sends a place, such as "geo:52.5,-13.25;u=20", as Element does. An empty description is left out.
func (u *User) SendLocation(ctx context.Context, room id.RoomID, geoURI, description string) (id.EventID, error) {
	location := map[string]any{"uri": geoURI}
	if description != "" {
		location["description"] = description
	}
	return u.sendAs(ctx, room, event.EventMessage, &event.Content{
		Parsed: &event.MessageEventContent{MsgType: event.MsgLocation, Body: "Location " + geoURI, GeoURI: geoURI},
		Raw: map[string]any{
			"org.matrix.msc3488.location": location,
			"org.matrix.msc3488.asset":    map[string]any{"type": "m.pin"},
		},
	})
}
