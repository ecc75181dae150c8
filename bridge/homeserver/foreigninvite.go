package homeserver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// maxForeignInvites is how many rooms of other servers are joined side by side.
	maxForeignInvites = 4
	// foreignInviteLimit is how long joining one may take.
	foreignInviteLimit = 30 * time.Second
	// foreignInviteRetry is how long to wait for the other server: it sends the invite before it notes it.
	foreignInviteRetry = time.Second
)

// foreignInvites joins rooms of other servers, where the bot tells people why it cannot serve them. A join takes as long
// as that server likes, so nothing else waits for it, and invites beyond the limit are left alone.
type foreignInvites struct {
	slots chan struct{}
	done  sync.WaitGroup
	// noting is held while a user's room with the bot is noted.
	noting sync.Mutex
}

// isForeignInvite tells whether a user of another server invites the bot.
func (i *intake) isForeignInvite(evt *event.Event) bool {
	content, ok := evt.Content.Parsed.(*event.MemberEventContent)
	return ok && evt.Type == event.StateMember && content.Membership == event.MembershipInvite &&
		evt.GetStateKey() == i.connector.Bot.UserID.String() && evt.Sender.Homeserver() != i.connector.AS.HomeserverDomain
}

func (f *foreignInvites) accept(ctx context.Context, c *Connector, evt *event.Event) {
	log := zerolog.Ctx(ctx)
	select {
	case f.slots <- struct{}{}:
	default:
		log.Warn().Msg("Too many invites from other servers at once, one is ignored")
		return
	}
	f.done.Go(func() {
		defer func() { <-f.slots }()
		ctx, cancel := context.WithTimeout(log.WithContext(c.life), foreignInviteLimit)
		defer cancel()
		for c.Bot.EnsureJoined(ctx, evt.RoomID) != nil {
			if sleep(ctx, foreignInviteRetry) != nil {
				log.Warn().Msg("Failed to join a room of another server")
				return
			}
		}
		if err := c.greetForeigner(ctx, evt.Sender, evt.RoomID); err != nil {
			log.Err(err).Msg("Failed to greet a user of another server")
		}
	})
}

// greetForeigner says why the bot cannot serve the user. Commands are answered in that room all the same.
func (c *Connector) greetForeigner(ctx context.Context, sender id.UserID, room id.RoomID) error {
	user, err := c.Bridge.GetUserByMXID(ctx, sender)
	if err != nil {
		return fmt.Errorf("failed to load the user: %w", err)
	}
	if err = c.intake.foreign.note(ctx, user, room); err != nil {
		return fmt.Errorf("failed to note the management room: %w", err)
	}
	content := &event.Content{Parsed: &event.MessageEventContent{MsgType: event.MsgNotice, Body: c.options.ForeignReply}}
	_, err = c.BotIntent().SendMessage(ctx, room, event.EventMessage, content, nil)
	return err
}

// note remembers the user's room with the bot, if it is the first.
func (f *foreignInvites) note(ctx context.Context, user *bridgev2.User, room id.RoomID) error {
	f.noting.Lock()
	defer f.noting.Unlock()
	if user.ManagementRoom != "" {
		return nil
	}
	user.ManagementRoom = room
	return user.Save(ctx)
}

// isStranger tells whether an event is nothing for bridgev2, which would note its sender in the database: a user of another
// server wrote it who never invited the bot, in a room that is no chat.
func (i *intake) isStranger(ctx context.Context, evt *event.Event) bool {
	if evt.Sender.Homeserver() == i.connector.AS.HomeserverDomain {
		return false
	}
	portal, err := i.connector.Bridge.GetPortalByMXID(ctx, evt.RoomID)
	if portal != nil || err != nil {
		return false // bridgev2 fails in its own way
	}
	user, err := i.connector.Bridge.GetExistingUserByMXID(ctx, evt.Sender)
	return user == nil && err == nil
}
