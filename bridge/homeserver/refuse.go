package homeserver

import (
	"context"
	"errors"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
)

var (
	errClearMessage = errors.New("message in a room of a chat was not encrypted")
	errClearCommand = errors.New("command in a room that is not encrypted")
)

// refuseUnencrypted tells whoever wrote in the clear that it was not taken. Outside of chats only those are answered
// who talk to the bot.
func (c *Connector) refuseUnencrypted(ctx context.Context, evt *event.Event) {
	log := zerolog.Ctx(ctx)
	portal, err := c.Bridge.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil {
		log.Err(err).Msg("Failed to look for a portal")
		return
	}
	if portal != nil {
		log.Warn().Stringer("sender", evt.Sender).Msg("Refused a message that is not encrypted")
		c.SendMessageStatus(ctx, &bridgev2.MessageStatus{
			Step:          status.MsgStepDecrypted,
			Status:        event.MessageStatusFail,
			ErrorReason:   event.MessageStatusUndecryptable,
			InternalError: errClearMessage,
			Message:       "It was not encrypted. Please turn encryption on in your app and send it again.",
			IsCertain:     true,
			SendNotice:    true,
		}, bridgev2.StatusEventInfoFromEvent(evt))
		return
	}
	user, err := c.Bridge.GetExistingUserByMXID(ctx, evt.Sender)
	if err != nil || user == nil || evt.RoomID != user.ManagementRoom || evt.Type != event.EventMessage {
		return
	}
	log.Info().Stringer("sender", evt.Sender).AnErr("reason", errClearCommand).Msg("Refused a command")
	content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: c.options.UnencryptedReply}}
	if _, err = c.BotIntent().SendMessage(ctx, evt.RoomID, event.EventMessage, content, nil); err != nil {
		log.Err(err).Msg("Failed to answer a command that was not encrypted")
	}
}

// tellUndecryptable tells the sender that the bridge could not read a message, and what to do.
func (c *Connector) tellUndecryptable(ctx context.Context, evt *event.Event, err error) {
	zerolog.Ctx(ctx).Warn().Err(err).Stringer("sender", evt.Sender).Msg("Failed to decrypt a message")
	c.SendMessageStatus(ctx, &bridgev2.MessageStatus{
		Step:          status.MsgStepDecrypted,
		Status:        event.MessageStatusRetriable,
		ErrorReason:   event.MessageStatusUndecryptable,
		InternalError: err,
		Message:       explainUndecryptable(err),
		IsCertain:     true,
		SendNotice:    true,
	}, bridgev2.StatusEventInfoFromEvent(evt))
}

// explainUndecryptable says in plain words why a message could not be read.
func explainUndecryptable(err error) string {
	var withheld *event.RoomKeyWithheldEventContent
	switch {
	case errors.Is(err, errKeyMissing), errors.Is(err, errNoSession):
		return "Your app did not send the bridge the key of this message. Please send it again; if that does not help, restart your app."
	case errors.As(err, &withheld):
		return "Your app refuses to give the bridge the key of this message. Please check its settings for unverified devices and send it again."
	case errors.Is(err, olm.ErrUnknownMessageIndex):
		return "The key that your app sent is newer than this message. Please send it again."
	default:
		return "The bridge could not decrypt it. Please send it again."
	}
}
