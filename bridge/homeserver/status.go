package homeserver

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
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
//
// Nobody waits for that of an event about who is in the room.
func (c *Connector) SendMessageStatus(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	if info.SourceEventID == "" || info.EventType.IsEphemeral() || info.EventType == event.StateMember || isIdleRedaction(ms, info) {
		return
	}
	told := *ms
	switch {
	case ms.Status == event.MessageStatusSuccess && len(ms.DeliveredTo) == 0:
		switch c.statuses.held.succeed(info.SourceEventID) {
		case holdPending:
			told.Status = event.MessageStatusPending
		case holdFailed:
			return // its sender was told, and this is news of before
		}
	case isFailure(ms):
		c.statuses.held.fail(info.SourceEventID)
		c.logFailure(ms, info)
	}
	if jobs := statusJobs(c, told, *info); told.Status == event.MessageStatusPending {
		c.statuses.addLater(ctx, info.RoomID, info.SourceEventID, jobs)
	} else {
		c.statuses.settle(info.SourceEventID)
		c.statuses.add(ctx, info.RoomID, jobs)
	}
}

// isIdleRedaction tells whether what was taken back is nothing that the other side has, which is no failure: a notice, a
// reaction that another one has replaced, or a message that was not sent yet.
func isIdleRedaction(ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) bool {
	return info.EventType.Type == event.EventRedaction.Type && errors.Is(*ms, bridgev2.ErrTargetMessageNotFound)
}

// HoldSuccess is for what bridgev2 calls a success as soon as its handler returns, while it is only in the outbox then:
// edits, reactions and redactions. The next success of the event is taken for "pending", and the one after that is real.
// If the real one, or a failure, comes first, what the sender sees in the end is right too.
func (c *Connector) HoldSuccess(evt id.EventID) { c.statuses.held.hold(evt) }

// ExplainPending is SendMessageStatus for a pending status that says why: it is sent in any case, in place of one that says nothing.
func (c *Connector) ExplainPending(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	c.statuses.settle(info.SourceEventID)
	c.statuses.add(ctx, info.RoomID, statusJobs(c, *ms, *info))
}

// DeliverStatus is SendMessageStatus for those who have to know: it returns when the status event was sent, or why not.
func (c *Connector) DeliverStatus(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	_, err := c.Bot.SendMessageEvent(ctx, info.RoomID, event.BeeperMessageStatus, ms.ToMSSEvent(info), mautrix.ReqSendEvent{DontEncrypt: true})
	if err != nil {
		return fmt.Errorf("failed to send a message status: %w", err)
	}
	c.Log.Debug().Stringer("event_id", info.SourceEventID).Stringer("room_id", info.RoomID).Str("status", string(ms.Status)).
		Bool("delivered", len(ms.DeliveredTo) > 0).Msg("The sender's apps were told what became of an event")
	return nil
}

// ReportFailure is SendMessageStatus for a failure that the sender must hear of: it returns when the notice was sent, after
// all that was reported in the room before, or why it was not. A failure that the homeserver will never take, because the
// room is gone, counts as reported.
func (c *Connector) ReportFailure(ctx context.Context, ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	c.logFailure(ms, info)
	c.statuses.held.fail(info.SourceEventID)
	c.statuses.settle(info.SourceEventID)
	err := c.statuses.addAndWait(ctx, info.RoomID, statusJobs(c, *ms, *info))
	if err != nil && !errors.Is(err, errStopping) && !mayHeal(err) && ctx.Err() == nil {
		return nil // it is in the log
	}
	return err
}

// logFailure is the one line about an event that was not bridged for a reason that is nobody's fault, such as a kind of message that
// cannot be sent.
func (c *Connector) logFailure(ms *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	c.Log.Info().AnErr("reason", ms.InternalError).Stringer("event_id", info.SourceEventID).Stringer("room_id", info.RoomID).
		Msg("An event was not bridged, its sender is told why")
}

// statusJob is one request. It is tried again if it fails with what may heal.
type statusJob func(ctx context.Context) error

func statusJobs(c *Connector, ms bridgev2.MessageStatus, info bridgev2.MessageStatusEventInfo) []statusJob {
	var jobs []statusJob
	c.explain(&ms, &info)
	if !ms.DisableMSS {
		jobs = append(jobs, func(ctx context.Context) error { return c.DeliverStatus(ctx, &ms, &info) })
	}
	if ms.SendNotice && isFailure(&ms) && info.MessageType != event.MsgNotice {
		notice := c.failureNotice(&ms, &info)
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

// TellUser sends a notice to the user's own room with the bot, encrypted if the room is. It makes the room if there is
// none.
func (c *Connector) TellUser(ctx context.Context, user id.UserID, text string) error {
	return c.SendToUser(ctx, user, &event.MessageEventContent{MsgType: event.MsgNotice, Body: text})
}

// SendToUser is TellUser for any kind of message.
func (c *Connector) SendToUser(ctx context.Context, user id.UserID, message *event.MessageEventContent) error {
	bridgeUser, err := c.Bridge.GetUserByMXID(ctx, user)
	if err != nil {
		return fmt.Errorf("failed to load the user: %w", err)
	}
	room, err := bridgeUser.GetManagementRoom(ctx)
	if err != nil {
		return fmt.Errorf("failed to find the user's room with the bot: %w", err)
	}
	copied := *message // encryption changes it
	if _, err = c.BotIntent().SendMessage(ctx, room, event.EventMessage, &event.Content{Parsed: &copied}, nil); err != nil {
		return fmt.Errorf("failed to send a message to a user: %w", err)
	}
	return nil
}
