package homeserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// SendMessageStatus implements bridgev2.MatrixConnector. It returns at once; the statuses of one room are sent in
// order and tried again while the homeserver is away. Of a status
//
//   - an event com.beeper.message_send_status is sent, which clients can show at the message, for a pending one only if
//     nothing else follows soon;
//   - a success becomes a read receipt of the bot, which every client shows;
//   - a failure becomes a notice that says why, encrypted like all of the room.
func (c *Connector) SendMessageStatus(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	if info.SourceEventID == "" || info.EventType.IsEphemeral() {
		return
	}
	if jobs := statusJobs(c, *ms, *info); ms.Status == event.MessageStatusPending {
		c.statuses.addLater(ctx, info.RoomID, info.SourceEventID, jobs)
	} else {
		c.statuses.settle(info.SourceEventID)
		c.statuses.add(ctx, info.RoomID, jobs)
	}
}

// DeliverStatus is SendMessageStatus for those who have to know: it returns when the status event was sent, or why not.
func (c *Connector) DeliverStatus(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	_, err := c.Bot.SendMessageEvent(ctx, info.RoomID, event.BeeperMessageStatus, ms.ToMSSEvent(info), mautrix.ReqSendEvent{DontEncrypt: true})
	if err != nil {
		return fmt.Errorf("failed to send a message status: %w", err)
	}
	return nil
}

// ReportFailure is SendMessageStatus for a failure that the sender must hear of: it returns when the notice was sent, after
// all that was reported in the room before, or why it was not. A failure that the homeserver will never take, because the
// room is gone, counts as reported.
func (c *Connector) ReportFailure(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	c.statuses.settle(info.SourceEventID)
	err := c.statuses.addAndWait(ctx, info.RoomID, statusJobs(c, *ms, *info))
	if err != nil && !errors.Is(err, errStopping) && !mayHeal(err) && ctx.Err() == nil {
		return nil // it is in the log
	}
	return err
}

// statusJob is one request. It is tried again if it fails with what may heal.
type statusJob func(ctx context.Context) error

func statusJobs(c *Connector, ms bridgev2.MessageStatus, info bridgev2.MessageStatusEventInfo) []statusJob {
	var jobs []statusJob
	if !ms.DisableMSS {
		jobs = append(jobs, func(ctx context.Context) error { return c.DeliverStatus(ctx, &ms, &info) })
	}
	failed := ms.Status == event.MessageStatusFail || ms.Status == event.MessageStatusRetriable
	if ms.SendNotice && failed && info.MessageType != event.MsgNotice {
		notice := ms.ToNoticeEvent(&info)
		jobs = append(jobs, func(ctx context.Context) error {
			_, err := c.BotIntent().SendMessage(ctx, info.RoomID, event.EventMessage, &event.Content{Parsed: notice}, nil)
			return err
		})
	}
	if ms.Status == event.MessageStatusSuccess && len(ms.DeliveredTo) == 0 {
		jobs = append(jobs, func(ctx context.Context) error {
			return c.Bot.SendReceipt(ctx, info.RoomID, info.SourceEventID, event.ReceiptTypeRead, nil)
		})
	}
	return jobs
}

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

// TellUser sends a notice to the user's own room with the bot, encrypted if the room is. It makes the room if there is
// none.
func (c *Connector) TellUser(ctx context.Context, user id.UserID, text string) error {
	bridgeUser, err := c.Bridge.GetUserByMXID(ctx, user)
	if err != nil {
		return fmt.Errorf("failed to load the user: %w", err)
	}
	room, err := bridgeUser.GetManagementRoom(ctx)
	if err != nil {
		return fmt.Errorf("failed to find the user's room with the bot: %w", err)
	}
	content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: text}}
	if _, err = c.BotIntent().SendMessage(ctx, room, event.EventMessage, content, nil); err != nil {
		return fmt.Errorf("failed to send a notice: %w", err)
	}
	return nil
}
