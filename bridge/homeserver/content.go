package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// ErrNoContent: a message cannot be shown again: it is not there, was deleted, is no message, was not encrypted, or its key
// is gone.
var ErrNoContent = errors.New("the message cannot be read any more")

// maxEventAnswer bounds the homeserver's answer, in bytes: an event of at most 64 KiB and its last edit.
const maxEventAnswer = 512 << 10

// Content returns a message of a room as it reads now, whoever sent it: with the last edit. Its parsed content is a
// MessageEventContent.
//
// The key of a message lives for between one and two of the room's rotation periods, which are a week unless the room says
// otherwise; see megolm.newMachine. [ErrNoContent] is for good, other errors are the network's and the database's.
func (c *Connector) Content(ctx context.Context, room id.RoomID, evt id.EventID) (*event.Event, error) {
	data, err := c.Bot.MakeFullRequest(ctx, mautrix.FullRequest{
		Method:            http.MethodGet,
		URL:               c.Bot.BuildClientURL("v3", "rooms", room, "event", evt),
		ResponseSizeLimit: maxEventAnswer,
	})
	if errors.Is(err, mautrix.MNotFound) || errors.Is(err, mautrix.MForbidden) {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, err)
	} else if err != nil {
		return nil, fmt.Errorf("failed to get a message: %w", err)
	}
	original, edit, err := parseEvent(ctx, data, room, evt)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, err)
	}
	message, err := c.readMessage(ctx, original)
	if err != nil {
		return nil, err
	}
	if edit == nil && c.features.Software != Synapse {
		edit = c.lastEdit(ctx, original)
	}
	if edit == nil {
		return message, nil
	}
	edited, err := c.readMessage(ctx, edit)
	if errors.Is(err, ErrNoContent) {
		return message, nil // better what was said first than nothing
	} else if err != nil {
		return nil, err
	}
	applyEdit(message, edited)
	return message, nil
}

// maxEdits is how many edits of a message are looked at, the newest.
const maxEdits = 20

// lastEdit asks for the edits of a message, for servers that do not tell the last one together with the message, such as
// Dendrite. nil if there is none, or none can be had.
func (c *Connector) lastEdit(ctx context.Context, original *event.Event) (last *event.Event) {
	page, err := c.Bot.GetRelations(ctx, original.RoomID, original.ID, &mautrix.ReqGetRelations{
		RelationType: event.RelReplace, Dir: mautrix.DirectionBackward, Limit: maxEdits,
	})
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("event_id", original.ID).Msg("Failed to ask for the edits of a message")
		return nil
	}
	for _, edit := range page.Chunk {
		if edit == nil || edit.Sender != original.Sender || last != nil && edit.Timestamp <= last.Timestamp {
			continue
		}
		edit.RoomID = original.RoomID
		prepare(ctx, edit, event.UnknownEventType)
		last = edit
	}
	return last
}

// bundled is what the homeserver tells about an event beside it.
type bundled struct {
	Unsigned struct {
		Relations struct {
			Replace json.RawMessage `json:"m.replace"`
		} `json:"m.relations"`
	} `json:"unsigned"`
}

// parseEvent reads the homeserver's answer. The edit is nil if there is none, or nothing that could be one.
func parseEvent(ctx context.Context, data []byte, room id.RoomID, evt id.EventID) (original, edit *event.Event, err error) {
	var relations bundled
	if err = json.Unmarshal(data, &original); err != nil {
		return nil, nil, fmt.Errorf("malformed event: %w", err)
	} else if original == nil || original.ID != evt {
		return nil, nil, errors.New("the homeserver answered with another event")
	}
	original.RoomID = room
	prepare(ctx, original, event.UnknownEventType)
	if json.Unmarshal(data, &relations) != nil || json.Unmarshal(relations.Unsigned.Relations.Replace, &edit) != nil || edit == nil {
		return original, nil, nil
	}
	edit.RoomID = room
	prepare(ctx, edit, event.UnknownEventType)
	if edit.Sender != original.Sender {
		edit = nil
	}
	return original, edit, nil
}

var (
	errRedacted   = errors.New("it was deleted")
	errNotMessage = errors.New("it is not an encrypted message")
)

// readMessage decrypts a message. What the homeserver shows in the clear is not believed.
func (c *Connector) readMessage(ctx context.Context, evt *event.Event) (*event.Event, error) {
	if evt.Unsigned.RedactedBecause != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, errRedacted)
	}
	content, ok := evt.Content.Parsed.(*event.EncryptedEventContent)
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, errNotMessage)
	}
	var gone *event.RoomKeyWithheldEventContent
	session, err := c.crypto.bot.store.GetGroupSession(ctx, evt.RoomID, content.SessionID)
	if errors.As(err, &gone) || (err == nil && session == nil) {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, errNoSession)
	} else if err != nil {
		return nil, fmt.Errorf("failed to load the key of a message: %w", err)
	}
	decrypted, err := c.crypto.Decrypt(ctx, evt)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("failed to decrypt a message: %w", ctx.Err())
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, err)
	}
	if _, ok := decrypted.Content.Parsed.(*event.MessageEventContent); !ok {
		return nil, fmt.Errorf("%w: %w", ErrNoContent, errNotMessage)
	}
	return decrypted, nil
}

// applyEdit replaces a message's content by that of its edit, if it is one of this message.
func applyEdit(message, edited *event.Event) {
	content := edited.Content.AsMessage()
	if edited.Type != message.Type || content.NewContent == nil || content.RelatesTo.GetReplaceID() != message.ID {
		return
	}
	raw, _ := edited.Content.Raw["m.new_content"].(map[string]any)
	message.Content = event.Content{Parsed: content.NewContent, Raw: raw}
}
