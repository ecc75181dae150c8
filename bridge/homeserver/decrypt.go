package homeserver

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/event"
)

// encrypted decrypts the event, or leaves it to lateKeys if its key is not here yet.
func (i *intake) encrypted(ctx context.Context, evt *event.Event) {
	content, ok := evt.Content.Parsed.(*event.EncryptedEventContent)
	if !ok {
		return
	}
	if i.connector.late.isWaiting(evt.RoomID, content.SessionID) {
		i.connector.late.add(ctx, evt, content)
		return
	}
	i.decrypt(ctx, evt, content)
}

func (i *intake) decrypt(ctx context.Context, evt *event.Event, content *event.EncryptedEventContent) {
	if i.isRedacted(evt) { // while it waited for its key
		return
	}
	decrypted, err := i.connector.crypto.Decrypt(ctx, evt)
	switch {
	case errors.Is(err, errNoSession):
		i.connector.late.add(ctx, evt, content)
	case err != nil:
		i.refuse(ctx, evt, err)
	default:
		zerolog.Ctx(ctx).Debug().Msg("An event was decrypted")
		i.connector.missing.online(evt.Sender)
		i.message(ctx, decrypted)
	}
}

// refuse tells the sender of a message that it could not be read, strangers outside of chats excepted.
func (i *intake) refuse(ctx context.Context, evt *event.Event, reason error) {
	known, err := i.connector.isKnownPlace(ctx, evt)
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to find out where a message that cannot be read comes from")
	}
	i.connector.late.giveUp(ctx, lateEvent{evt, known || err != nil}, reason)
}
