package homeserver

import (
	"cmp"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// maxRooms is how many rooms of a transaction are handled side by side.
const maxRooms = 8

// rememberedEvents is how many event ids are remembered, so that a repeated transaction, or the bot's sync, does not
// bring an event twice. It only spares work: messages are recognized in the database too.
const rememberedEvents = 4096

// intake hands events from the homeserver to bridgev2, whatever way they came. It returns when they are handled:
// messages are in the outbox by then, or their sender was told why not.
type intake struct {
	connector *Connector
	foreign   foreignInvites
	rooms     *exsync.KeyedMutex[id.RoomID] // held while an event of the room is handled
	seen      *recentSet[id.EventID]
	// redacted are events that were taken back. Dendrite sends messages in transactions and redactions in the bot's sync, so
	// that a redaction may come first. Those of earlier runs are not known.
	redacted *recentSet[id.EventID]
}

func newIntake(c *Connector) *intake {
	return &intake{
		connector: c,
		foreign:   foreignInvites{slots: make(chan struct{}, maxForeignInvites)},
		rooms:     exsync.NewKeyedMutex[id.RoomID](),
		seen:      newRecentSet[id.EventID](rememberedEvents),
		redacted:  newRecentSet[id.EventID](rememberedEvents),
	}
}

// transaction handles everything in a transaction. Keys come first, since events may need them; the events of one room
// keep their order.
func (i *intake) transaction(ctx context.Context, t *appservice.Transaction) {
	machine := i.connector.crypto.bot.machine
	i.toDevice(ctx, t.ToDeviceEvents)
	i.toDevice(ctx, t.MSC2409ToDeviceEvents)
	for _, lists := range []*mautrix.DeviceLists{t.DeviceLists, t.MSC3202DeviceLists} {
		if lists != nil {
			i.connector.crypto.devicesChanged(ctx, lists)
		}
	}
	for _, counts := range []appservice.OTKCountMap{t.DeviceOTKCount, t.MSC3202DeviceOTKCount} {
		for user, devices := range counts {
			for device, count := range devices {
				if user == i.connector.Bot.UserID && device == machine.Client.DeviceID {
					machine.HandleOTKCounts(ctx, &count)
				}
			}
		}
	}

	var order []id.RoomID
	byRoom := make(map[id.RoomID][]*event.Event)
	add := func(events []*event.Event, class event.TypeClass) {
		for _, evt := range events {
			if evt == nil {
				continue
			}
			prepare(ctx, evt, class)
			if _, ok := byRoom[evt.RoomID]; !ok {
				order = append(order, evt.RoomID)
			}
			byRoom[evt.RoomID] = append(byRoom[evt.RoomID], evt)
		}
	}
	add(t.Events, event.UnknownEventType)
	add(t.EphemeralEvents, event.EphemeralEventType)
	if len(t.EphemeralEvents) == 0 { // Synapse sends them under both names
		add(t.MSC2409EphemeralEvents, event.EphemeralEventType)
	}
	i.parallel(ctx, order, byRoom)
}

func (i *intake) parallel(ctx context.Context, order []id.RoomID, byRoom map[id.RoomID][]*event.Event) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, maxRooms)
	for _, room := range order {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			for _, evt := range byRoom[room] {
				i.handle(ctx, evt)
			}
		})
	}
	wait.Wait()
}

func (i *intake) toDevice(ctx context.Context, events []*event.Event) {
	for _, evt := range events {
		if evt == nil {
			continue
		}
		prepare(ctx, evt, event.ToDeviceEventType)
		if i.connector.probe.matches(ctx, evt) {
			continue
		}
		if i.connector.Bridge.IsGhostMXID(evt.ToUserID) {
			i.connector.crypto.puppets.receive(ctx, evt)
			continue
		}
		i.connector.crypto.bot.machine.HandleToDeviceEvent(ctx, evt)
	}
	if len(events) > 0 {
		i.connector.crypto.bot.machine.MarkOlmHashSavePoint(ctx)
	}
}

// prepare does what has to be done before any handler sees the event. class is UnknownEventType for timeline events.
func prepare(ctx context.Context, evt *event.Event, class event.TypeClass) {
	evt.Mautrix.ReceivedAt = time.Now()
	switch {
	case class == event.EphemeralEventType:
		evt.Mautrix.EventSource = event.SourceEphemeral
	case class == event.ToDeviceEventType:
		evt.Mautrix.EventSource = event.SourceToDevice
	case evt.StateKey != nil:
		class = event.StateEventType
		evt.Mautrix.EventSource = event.SourceTimeline | event.SourceJoin
	default:
		class = event.MessageEventType
		evt.Mautrix.EventSource = event.SourceTimeline
	}
	evt.Type.Class = class
	err := evt.Content.ParseRaw(evt.Type)
	if err != nil && !errors.Is(err, event.ErrUnsupportedContentType) && !errors.Is(err, event.ErrContentAlreadyParsed) {
		zerolog.Ctx(ctx).Debug().Stringer("event_id", evt.ID).Str("event_type", evt.Type.Type).Msg("An event has malformed content")
	}
}

// handle brings one event to its end. A panic ends the event, not the daemon: the event would come again and again.
func (i *intake) handle(ctx context.Context, evt *event.Event) {
	defer i.rooms.WithLock(evt.RoomID)()
	if evt.ID != "" && i.seen.has(evt.ID) {
		return
	}
	log := zerolog.Ctx(ctx).With().Stringer("event_id", evt.ID).Str("event_type", evt.Type.Type).Stringer("room_id", evt.RoomID).Logger()
	ctx = log.WithContext(ctx)
	if evt.ID != "" {
		log.Debug().Msg("An event came from the homeserver")
	}
	defer func() {
		if problem := recover(); problem != nil {
			log.Error().Bytes(zerolog.ErrorStackFieldName, debug.Stack()).Msg("Handling an event panicked")
		}
		if evt.ID != "" {
			i.seen.add(evt.ID)
		}
	}()
	switch {
	case evt.Type.Class == event.EphemeralEventType:
		i.ephemeral(ctx, evt)
	case evt.Type.IsState():
		i.state(ctx, evt)
	case i.isOwn(evt):
	case i.isRedacted(evt):
		log.Debug().Msg("An event was taken back before it came")
	case evt.Type == event.EventEncrypted:
		i.encrypted(ctx, evt)
	default:
		i.message(ctx, evt)
	}
}

// isRedacted tells whether an event was taken back, so that nobody must see it any more.
func (i *intake) isRedacted(evt *event.Event) bool {
	return evt.Unsigned.RedactedBecause != nil || i.redacted.has(evt.ID)
}

func (i *intake) ephemeral(ctx context.Context, evt *event.Event) {
	switch content := evt.Content.Parsed.(type) {
	case *event.ReceiptEventContent:
		for _, receipts := range *content {
			for _, users := range receipts {
				for user := range users {
					if i.isOurs(user) {
						delete(users, user)
					}
				}
			}
		}
	case *event.TypingEventContent:
		content.UserIDs = slices.DeleteFunc(content.UserIDs, i.isOurs)
	default:
		return
	}
	i.hand(ctx, evt)
}

// bridgedState are the state events that bridgev2 wants to see.
var bridgedState = []event.Type{
	event.StateMember, event.StatePowerLevels, event.StateRoomName, event.StateRoomAvatar, event.StateTopic, event.StateTombstone,
}

func (i *intake) state(ctx context.Context, evt *event.Event) {
	if !i.connector.isOldNews(evt) {
		i.connector.noteUser(ctx, evt)
		mautrix.UpdateStateStore(ctx, i.connector.AS.StateStore, evt)
	}
	switch evt.Type {
	case event.StateMember:
		if !i.connector.Bridge.IsGhostMXID(id.UserID(evt.GetStateKey())) {
			i.connector.crypto.HandleMemberEvent(ctx, evt)
		}
	case event.StateHistoryVisibility:
		i.connector.crypto.handleHistoryVisibility(ctx, evt)
	}
	if !i.isOwn(evt) {
		i.connector.tellUnsupported(ctx, evt)
	}
	if i.isForeignInvite(evt) {
		i.foreign.accept(ctx, i.connector, evt)
		return
	}
	if slices.Contains(bridgedState, evt.Type) && (!i.isOwn(evt) || evt.Type == event.StateTombstone) && !i.isStranger(ctx, evt) {
		i.hand(ctx, evt)
	}
}

// bridgedMessages are the timeline events that bridgev2 wants to see, apart from encrypted ones.
var bridgedMessages = []event.Type{
	event.EventMessage, event.EventSticker, event.EventReaction, event.EventRedaction,
	event.BeeperDeleteChat, event.BeeperAcceptMessageRequest,
}

func (i *intake) message(ctx context.Context, evt *event.Event) {
	if !slices.Contains(bridgedMessages, evt.Type) {
		i.connector.tellUnsupported(ctx, evt)
		return
	} else if i.isStranger(ctx, evt) {
		return
	}
	mayBeClear := evt.Type != event.EventMessage && evt.Type != event.EventSticker
	if !evt.Mautrix.WasEncrypted && !mayBeClear {
		i.connector.refuseUnencrypted(ctx, evt)
		return
	}
	if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok && content.RelatesTo.GetReplaceID() != "" {
		i.connector.edits.add(evt.ID)
	}
	if content, ok := evt.Content.Parsed.(*event.RedactionEventContent); ok {
		i.redacted.add(cmp.Or(evt.Redacts, content.Redacts))
	}
	i.hand(ctx, evt)
}

// hand gives an event to bridgev2, whose log says from there on what becomes of it.
func (i *intake) hand(ctx context.Context, evt *event.Event) {
	log := i.connector.Bridge.Log.With().Stringer("event_id", evt.ID).Stringer("room_id", evt.RoomID).Logger()
	i.connector.Bridge.QueueMatrixEvent(log.WithContext(ctx), evt)
}

// isOurs tells whether the user is the bot or a contact.
func (i *intake) isOurs(user id.UserID) bool {
	return user == i.connector.Bot.UserID || i.connector.Bridge.IsGhostMXID(user)
}

// isOwn tells whether the bridge itself made the event: as the bot, as a contact, or in the name of a user.
func (i *intake) isOwn(evt *event.Event) bool {
	if i.isOurs(evt.Sender) {
		return true
	}
	source, ok := evt.Content.Raw[appservice.DoublePuppetKey]
	return ok && source == i.connector.AS.DoublePuppetValue
}
