package homeserver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// lateKeyRequest is when the sender's devices are asked for a key that did not come by itself.
	lateKeyRequest = 5 * time.Second
	// lateKeyLimit is when the sender is told that the message could not be read.
	lateKeyLimit = time.Minute
	// resumePause is how long to wait before a message that waited before a restart is asked for again, resumeTries how
	// often that holds up the start. Then resumeRetry is the pause.
	resumePause = 2 * time.Second
	resumeTries = 5
	resumeRetry = time.Minute
)

var (
	errNoSession  = crypto.ErrNoSessionFound
	errKeyMissing = errors.New("the key of the message did not arrive")
)

// lateKeys keeps encrypted messages whose key has not arrived. That is common: keys and messages travel on different
// ways, and with Dendrite the message often wins. Which messages wait is stored before the homeserver gets its answer,
// so that they are looked for again after a crash; what is stored is their ids, the homeserver has the rest.
//
// All messages under one session wait together and keep their order.
type lateKeys struct {
	connector *Connector
	request   time.Duration
	limit     time.Duration

	list     *lateList
	lock     sync.Mutex
	sessions map[lateSession]*lateEvents
	counts   lateCounts
	waiters  sync.WaitGroup
}

type lateSession struct {
	room    id.RoomID
	session id.SessionID
}

type lateEvents struct {
	events []lateEvent
	come   chan struct{} // has room for one, so that nobody who brings a key has to wait
}

type lateEvent struct {
	*event.Event
	known bool // see isKnownPlace
}

func newLateKeys(c *Connector) *lateKeys {
	return &lateKeys{
		connector: c,
		request:   lateKeyRequest,
		limit:     lateKeyLimit,
		list:      newLateList(c.options.KV),
		sessions:  make(map[lateSession]*lateEvents),
		counts:    lateCounts{rooms: make(map[id.RoomID]int)},
	}
}

// resume gets the messages that waited when the daemon stopped, and looks again for their keys. It comes before new
// transactions are let in, or these would overtake them. If the homeserver does not give one out, that is tried on in
// the background: the daemon must start.
func (l *lateKeys) resume(ctx context.Context) error {
	entries, err := l.list.load(ctx)
	if err != nil {
		return err
	}
	var left []lateEntry
	for _, entry := range entries {
		found := l.again(ctx, entry)
		for try := 1; !found && try < resumeTries; try++ {
			if err = sleep(ctx, resumePause); err != nil {
				return err
			}
			found = l.again(ctx, entry)
		}
		if !found {
			left = append(left, entry)
		}
	}
	if len(left) > 0 {
		l.waiters.Go(func() { l.resumeLater(l.connector.life, left) })
	}
	return nil
}

// resumeLater ends when nothing is left or the connector stops.
func (l *lateKeys) resumeLater(ctx context.Context, left []lateEntry) {
	for len(left) > 0 && sleep(ctx, resumeRetry) == nil {
		left = slices.DeleteFunc(left, func(entry lateEntry) bool { return l.again(ctx, entry) })
	}
}

// again handles a message of an earlier run as if it came now. It returns false if the homeserver does not give it out at
// the moment.
func (l *lateKeys) again(ctx context.Context, entry lateEntry) bool {
	evt, err := l.connector.Bot.Client.GetEvent(ctx, entry.Room, entry.Event)
	if errors.Is(err, mautrix.MNotFound) || errors.Is(err, mautrix.MForbidden) {
		l.remove(ctx, entry.Event)
		return true
	} else if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("event_id", entry.Event).Msg("Failed to get a message that waits for its key")
		return false
	}
	evt.RoomID = entry.Room
	prepare(ctx, evt, event.UnknownEventType)
	l.connector.intake.handle(l.connector.life, evt)
	if !l.hasEvent(entry.Event) {
		l.remove(ctx, entry.Event)
	}
	return true
}

// isWaiting tells whether messages under the session wait already.
func (l *lateKeys) isWaiting(room id.RoomID, session id.SessionID) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.sessions[lateSession{room, session}] != nil
}

func (l *lateKeys) hasEvent(wanted id.EventID) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, waiting := range l.sessions {
		for _, evt := range waiting.events {
			if evt.ID == wanted {
				return true
			}
		}
	}
	return false
}

// add lets a message wait. It is called with the room's lock held, and returns when the message is in the list.
func (l *lateKeys) add(ctx context.Context, evt *event.Event, content *event.EncryptedEventContent) {
	log := zerolog.Ctx(ctx)
	known, err := l.connector.isKnownPlace(ctx, evt)
	if err != nil {
		log.Err(err).Msg("Failed to find out where a message that has no key comes from")
		l.connector.tellUndecryptable(ctx, evt, errKeyMissing)
		return
	}
	l.lock.Lock()
	taken := l.counts.take(evt.RoomID, known)
	l.lock.Unlock()
	if !taken {
		l.giveUp(ctx, lateEvent{evt, known}, errTooManyLate)
		return
	}
	if known {
		if err = l.list.add(ctx, lateEntry{Room: evt.RoomID, Event: evt.ID, Since: time.Now()}); err != nil {
			log.Err(err).Msg("Failed to note a message that waits for its key")
			l.lock.Lock()
			l.counts.release(evt.RoomID, known)
			l.lock.Unlock()
			l.connector.tellUndecryptable(ctx, evt, errKeyMissing)
			return
		}
	}
	key := lateSession{evt.RoomID, content.SessionID}
	l.lock.Lock()
	waiting := l.sessions[key]
	if waiting == nil {
		waiting = &lateEvents{come: make(chan struct{}, 1)}
		l.sessions[key] = waiting
		// The waiter outlives the transaction that brought the message.
		waiterCtx := log.WithContext(l.connector.life)
		l.waiters.Go(func() { l.waitFor(waiterCtx, key, waiting, evt.Sender, content) })
	}
	waiting.events = append(waiting.events, lateEvent{evt, known})
	l.lock.Unlock()
	log.Debug().Stringer("session_id", content.SessionID).Msg("A message waits for its key")
}

// giveUp tells the sender that a message could not be read, if it is in a chat or the sender is one of our users.
func (l *lateKeys) giveUp(ctx context.Context, late lateEvent, err error) {
	if late.known || late.Sender.Homeserver() == l.connector.AS.HomeserverDomain {
		l.connector.tellUndecryptable(ctx, late.Event, err)
		return
	}
	zerolog.Ctx(ctx).Debug().Err(err).Stringer("sender", late.Sender).Msg("Failed to decrypt a stranger's message")
}

// arrived is called whenever the bot got a key.
func (l *lateKeys) arrived(room id.RoomID, session id.SessionID) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if waiting := l.sessions[lateSession{room, session}]; waiting != nil {
		select {
		case waiting.come <- struct{}{}:
		default:
		}
	}
}

// waitFor ends when the messages under the session are handled, or when the connector stops.
func (l *lateKeys) waitFor(
	ctx context.Context, key lateSession, waiting *lateEvents, sender id.UserID, content *event.EncryptedEventContent,
) {
	request := time.NewTimer(l.request)
	defer request.Stop()
	limit := time.NewTimer(l.limit)
	defer limit.Stop()
	// The key may have come between the failed decryption and the entry in sessions.
	if session, err := l.connector.crypto.bot.store.GetGroupSession(ctx, key.room, key.session); session != nil || err != nil {
		l.arrived(key.room, key.session)
	}
	for {
		select {
		case <-waiting.come:
			l.finish(ctx, key, true)
			return
		case <-request.C:
			l.waiters.Go(func() { l.connector.crypto.collectFor(ctx, key.room) })
			//lint:ignore SA1019 RequestSession asks all devices where the event names none
			l.connector.crypto.RequestSession(ctx, key.room, content.SenderKey, key.session, sender, content.DeviceID)
		case <-limit.C:
			l.finish(ctx, key, false)
			return
		case <-ctx.Done():
			return // they are in the list
		}
	}
}

// finish handles the messages under the session in their order and takes them off the list.
func (l *lateKeys) finish(ctx context.Context, key lateSession, found bool) {
	defer l.connector.intake.rooms.WithLock(key.room)()
	l.lock.Lock()
	waiting := l.sessions[key]
	delete(l.sessions, key)
	l.lock.Unlock()
	for _, late := range waiting.events {
		if ctx.Err() != nil {
			return
		}
		decrypted, err := l.connector.crypto.Decrypt(ctx, late.Event)
		switch {
		case err == nil:
			l.connector.intake.message(ctx, decrypted)
		case found:
			l.giveUp(ctx, late, err)
		default:
			l.giveUp(ctx, late, errKeyMissing)
		}
		l.lock.Lock()
		l.counts.release(key.room, late.known)
		l.lock.Unlock()
		l.remove(ctx, late.ID)
	}
}

// wait returns when all goroutines have ended. The connector's life must be over.
func (l *lateKeys) wait() { l.waiters.Wait() }

// remove takes a message that is handled off the list.
func (l *lateKeys) remove(ctx context.Context, evt id.EventID) {
	if err := l.list.remove(ctx, evt); err != nil {
		// The message is handled again at the next start, and recognized then.
		zerolog.Ctx(ctx).Err(err).Stringer("event_id", evt).Msg("Failed to take a message off the list of those that wait")
	}
}
