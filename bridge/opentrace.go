package bridge

import (
	"context"
	"errors"
	"slices"

	"maunium.net/go/mautrix/id"

	"postern/bridge/config"
	"postern/bridge/connector"
	"postern/bridge/records"
	"postern/bridge/trace"
	"postern/database"
	"postern/portal"
)

// Stored is what the database knows of one message.
type Stored struct {
	// Waiting are rows of our tables, Shown are events in rooms.
	Waiting []database.Traced
	Shown   []records.Shown
}

// IDs are the ids of the message on both sides.
func (s *Stored) IDs() (ids []string) {
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) && trace.CheckID(id) == nil {
			ids = append(ids, id)
		}
	}
	for _, row := range s.Waiting {
		add(row.ID)
		add(connector.EventOf(row.Ref).String())
	}
	for _, shown := range s.Shown {
		add(connector.RawMessageID(shown.ID))
		add(shown.Event.String())
	}
	return ids
}

// TraceStored finds what is stored of a message by an event or by its id in the chat channel, while a daemon may be running. Errors:
// [trace.ErrNoID], and those of opening the database.
func TraceStored(ctx context.Context, cfg *config.Config, text string) (*Stored, error) {
	if err := trace.CheckID(text); err != nil {
		return nil, err
	}
	raw, db, err := openBeside(ctx, cfg)
	if err != nil {
		return nil, err
	}
	stored := &Stored{}
	err = func() (err error) {
		if stored.Shown, err = records.New(raw, "").Shown(ctx, text); err != nil {
			return err
		}
		messageID := text
		for _, shown := range stored.Shown {
			if _, _, of, err := portal.ParseMessageID(shown.ID); err == nil {
				messageID = of
			}
		}
		stored.Waiting, err = db.Trace(ctx, messageID, connector.ReferencesTo(id.EventID(text)))
		return err
	}()
	return stored, errors.Join(err, raw.Close())
}
