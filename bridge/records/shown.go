package records

import (
	"context"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// maxShown bounds what one id finds.
const maxShown = 32

// Shown is a part of a message, and the room that it is in.
type Shown struct {
	ID    networkid.MessageID
	Event id.EventID
	Room  id.RoomID // "" if the chat has none any more
	Login networkid.UserLoginID
	Time  time.Time // as its sender says
}

// Shown finds the messages with an event, or with an id that ends with a colon and the text. It walks over the whole table, and is meant
// for an admin who asks.
func (r Records) Shown(ctx context.Context, text string) ([]Shown, error) {
	found, err := all(ctx, r.db, "look for a message in a room", scanShown, `
		SELECT message.id, message.mxid, COALESCE(portal.mxid, ''), message.room_receiver, message.timestamp
		FROM message LEFT JOIN portal
			ON portal.bridge_id = message.bridge_id AND portal.id = message.room_id AND portal.receiver = message.room_receiver
		WHERE message.bridge_id = $1 AND (message.mxid = $2 OR message.id LIKE $3 ESCAPE '!')
		ORDER BY message.timestamp LIMIT $4`, r.bridge, text, "%:"+likeEscaper.Replace(text), maxShown)
	if err != nil {
		return nil, err
	}
	var shown []Shown
	for _, one := range found {
		if one.Event.String() == text || strings.HasSuffix(string(one.ID), ":"+text) { // LIKE takes no notice of case on SQLite
			shown = append(shown, one)
		}
	}
	return shown, nil
}

var likeEscaper = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func scanShown(row dbutil.Scannable) (shown Shown, err error) {
	var at int64
	err = row.Scan(&shown.ID, &shown.Event, &shown.Room, &shown.Login, &at)
	shown.Time = time.Unix(0, at)
	return shown, err
}
