package homeserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// syncPoll is how long the homeserver may hold a sync that has nothing to tell.
	syncPoll = 30 * time.Second
	// syncRetryFirst doubles with every failure up to syncRetryMax.
	syncRetryFirst = time.Second
	syncRetryMax   = 30 * time.Second
	// syncTimeline bounds the redactions of one room in one answer.
	syncTimeline = 100
	// syncTokenKey is where the place in the sync is kept.
	syncTokenKey = "matrix.sync_token"
	// syncStoreAfter is how old the stored place may become while the answers hold nothing.
	syncStoreAfter = time.Minute
	// syncIdleInterval is the least time between two requests while the answers hold nothing: servers answer for every
	// event in the bot's rooms, also if the filter leaves nothing of it.
	syncIdleInterval = 100 * time.Millisecond
)

// botSync reads what the homeserver does not push, as the bot: to-device messages, device lists and one-time key
// counts, typing, receipts, redactions and invites of users of other servers, as far as they are missing. Everything
// goes the same way as what comes in transactions.
//
// Its place in the sync is stored after an answer was handled, so that a crash repeats an answer rather than losing
// it. Repeated to-device messages are recognized by the crypto store, repeated redactions by intake. Answers that hold
// nothing cost no write, and not many of them are asked for.
type botSync struct {
	connector *Connector
	log       zerolog.Logger
	filter    string
	token     string
	stored    time.Time // when the place was stored last
	cancel    context.CancelFunc
	done      sync.WaitGroup
}

func newBotSync(c *Connector) *botSync { return &botSync{connector: c, cancel: func() {}} }

// start sets the filter up and begins to sync.
func (s *botSync) start(ctx context.Context) error {
	s.log = *s.connector.Log
	token, err := s.connector.options.KV.Get(ctx, s.tokenKey())
	if err != nil {
		return fmt.Errorf("failed to load the place in the bot's sync: %w", err)
	}
	s.token = string(token)
	created, err := s.connector.crypto.bot.client.CreateFilter(ctx, syncFilter(s.connector.features))
	if err != nil {
		return fmt.Errorf("failed to make a filter for the bot's sync: %w", err)
	}
	s.filter = created.FilterID
	var life context.Context
	life, s.cancel = context.WithCancel(s.log.WithContext(s.connector.life))
	s.done.Go(func() { s.run(life) })
	return nil
}

// stop waits until the answer that is being handled is done.
func (s *botSync) stop() {
	s.cancel()
	s.done.Wait()
}

// tokenKey differs for every device, as a device cannot go on where another stopped.
func (s *botSync) tokenKey() string {
	return syncTokenKey + "." + s.connector.crypto.bot.client.DeviceID.String()
}

// syncFilter asks for what is missing and nothing else.
func syncFilter(features Features) *mautrix.Filter {
	nothing := &mautrix.FilterPart{NotTypes: []event.Type{{Type: "*"}}}
	filter := &mautrix.Filter{
		Presence:    nothing,
		AccountData: nothing,
		Room: &mautrix.RoomFilter{
			AccountData: nothing,
			Ephemeral:   nothing,
			State:       nothing,
			Timeline:    nothing,
		},
	}
	if !features.Ephemeral {
		filter.Room.Ephemeral = &mautrix.FilterPart{Types: []event.Type{event.EphemeralEventTyping, event.EphemeralEventReceipt}}
	}
	if !features.Redactions {
		filter.Room.Timeline = &mautrix.FilterPart{Types: []event.Type{event.EventRedaction}, Limit: syncTimeline}
	}
	return filter
}

func (s *botSync) run(ctx context.Context) {
	pause := syncRetryFirst
	for ctx.Err() == nil {
		began := time.Now()
		empty, err := s.once(ctx)
		switch {
		case err == nil:
			pause = syncRetryFirst
			if empty {
				_ = sleep(ctx, syncIdleInterval-time.Since(began))
			}
			continue
		case ctx.Err() != nil:
			return
		case errors.Is(err, mautrix.MUnknownToken):
			s.log.Err(err).Msg("The bot's device was logged out, logging it in again")
			if err = s.loginAgain(ctx); err == nil {
				continue
			}
		}
		s.log.Warn().Err(err).Dur("retry_in", pause).Msg("The bot's sync failed")
		if sleep(ctx, pause) != nil {
			return
		}
		pause = min(2*pause, syncRetryMax)
	}
}

// loginAgain gets a new access token for the same device.
func (s *botSync) loginAgain(ctx context.Context) error {
	client := s.connector.crypto.bot.client
	_, err := client.Login(ctx, &mautrix.ReqLogin{
		Type:             mautrix.AuthTypeAppservice,
		Identifier:       mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: string(client.UserID)},
		DeviceID:         client.DeviceID,
		StoreCredentials: true,
	})
	return err
}

// once makes one request, handles the answer, and notes where to go on. It tells whether there was nothing in it.
func (s *botSync) once(ctx context.Context) (empty bool, err error) {
	poll := syncPoll
	if s.token == "" {
		poll = 0
	}
	answer, err := s.connector.crypto.bot.client.FullSyncRequest(ctx, mautrix.ReqSync{
		Timeout:     int(poll.Milliseconds()),
		Since:       s.token,
		FilterID:    s.filter,
		SetPresence: event.PresenceOffline,
	})
	if err != nil {
		return false, err
	}
	// What was begun is finished also if the daemon is stopping.
	s.handle(context.WithoutCancel(ctx), answer)
	empty = isEmpty(answer)
	if answer.NextBatch == s.token {
		return empty, nil
	}
	if !empty || s.token == "" || time.Since(s.stored) >= syncStoreAfter {
		if err = s.connector.options.KV.Set(ctx, s.tokenKey(), []byte(answer.NextBatch)); err != nil {
			return false, fmt.Errorf("failed to store the place in the bot's sync: %w", err)
		}
		s.stored = time.Now()
	}
	s.token = answer.NextBatch
	return empty, nil
}

// isEmpty tells whether an answer has nothing that must not be missed.
func isEmpty(answer *mautrix.RespSync) bool {
	if len(answer.ToDevice.Events) > 0 || len(answer.DeviceLists.Changed) > 0 || len(answer.DeviceLists.Left) > 0 || len(answer.Rooms.Invite) > 0 {
		return false
	}
	for _, room := range answer.Rooms.Join {
		if room != nil && (len(room.Timeline.Events) > 0 || len(room.Ephemeral.Events) > 0) {
			return false
		}
	}
	return true
}

func (s *botSync) handle(ctx context.Context, answer *mautrix.RespSync) {
	if !s.connector.toDevicePushed.Load() {
		s.connector.crypto.handleDeviceLists(ctx, &answer.DeviceLists)
		s.connector.intake.toDevice(ctx, answer.ToDevice.Events)
		s.connector.crypto.bot.machine.HandleOTKCounts(ctx, &answer.DeviceOTKCount)
	}
	if s.token == "" {
		// The first answer ever is about the past.
		return
	}
	var order []id.RoomID
	byRoom := make(map[id.RoomID][]*event.Event)
	for room, data := range answer.Rooms.Join {
		if data == nil {
			continue
		}
		order = append(order, room)
		add := func(events []*event.Event, class event.TypeClass, wanted bool) {
			for _, evt := range events {
				// A filter is a request only: what else the server sends comes in transactions.
				known := class == event.EphemeralEventType || (evt != nil && evt.Type.Type == event.EventRedaction.Type)
				if evt != nil && wanted && known {
					evt.RoomID = room
					prepare(ctx, evt, class)
					byRoom[room] = append(byRoom[room], evt)
				}
			}
		}
		add(data.Timeline.Events, event.UnknownEventType, !s.connector.features.Redactions)
		add(data.Ephemeral.Events, event.EphemeralEventType, !s.connector.features.Ephemeral)
	}
	if !s.connector.features.Invites {
		for room, data := range answer.Rooms.Invite {
			if data == nil {
				continue
			}
			if evt := s.foreignInvite(ctx, room, data); evt != nil {
				order = append(order, room)
				byRoom[room] = append(byRoom[room], evt)
			}
		}
	}
	s.connector.intake.parallel(ctx, order, byRoom)
}

// foreignInvite returns the bot's invite if a user of another server sent it. Those of this server come in
// transactions, also from Dendrite.
func (s *botSync) foreignInvite(ctx context.Context, room id.RoomID, data *mautrix.SyncInvitedRoom) *event.Event {
	for _, evt := range data.State.Events {
		if evt == nil || evt.Type.Type != event.StateMember.Type || evt.GetStateKey() != s.connector.Bot.UserID.String() {
			continue
		}
		evt.RoomID = room
		prepare(ctx, evt, event.StateEventType)
		if s.connector.intake.isForeignInvite(evt) {
			return evt
		}
	}
	return nil
}
