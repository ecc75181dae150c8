package homeserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	// maxLateEvents bounds how many messages wait, over all rooms.
	maxLateEvents = 1000
	// lateEventsKey is where the list of them is kept.
	lateEventsKey = "matrix.late_events"
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

	lock     sync.Mutex
	sessions map[lateSession]*lateEvents
	// stored are the entries of the list in the database. Its lock is held while the list is written.
	stored map[id.EventID]lateEntry
	// before are those of them that waited when the daemon stopped, oldest first.
	before  []lateEntry
	waiters sync.WaitGroup
}

type lateSession struct {
	room    id.RoomID
	session id.SessionID
}

type lateEvents struct {
	events []*event.Event
	come   chan struct{} // has room for one, so that nobody who brings a key has to wait
}

// lateEntry is what is stored of one message.
type lateEntry struct {
	Room  id.RoomID  `json:"room"`
	Event id.EventID `json:"event"`
	Since time.Time  `json:"since"`
}

func newLateKeys(c *Connector) *lateKeys {
	return &lateKeys{
		connector: c,
		request:   lateKeyRequest,
		limit:     lateKeyLimit,
		sessions:  make(map[lateSession]*lateEvents),
		stored:    make(map[id.EventID]lateEntry),
	}
}

// load reads the list of messages that waited when the daemon stopped. It comes before anything is added.
func (l *lateKeys) load(ctx context.Context) error {
	data, err := l.connector.options.KV.Get(ctx, lateEventsKey)
	if err != nil {
		return fmt.Errorf("failed to load the messages that wait for keys: %w", err)
	}
	var entries []lateEntry
	if len(data) > 0 {
		if err = json.Unmarshal(data, &entries); err != nil {
			return fmt.Errorf("failed to parse the messages that wait for keys: %w", err)
		}
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, entry := range entries {
		l.stored[entry.Event] = entry
		l.before = append(l.before, entry)
	}
	slices.SortFunc(l.before, func(a, b lateEntry) int { return a.Since.Compare(b.Since) })
	return nil
}

// resume gets the messages of that list again, and looks again for their keys.
func (l *lateKeys) resume(ctx context.Context) {
	l.lock.Lock()
	entries := l.before
	l.before = nil
	l.lock.Unlock()
	for _, entry := range entries {
		evt, err := l.connector.Bot.Client.GetEvent(ctx, entry.Room, entry.Event)
		if errors.Is(err, mautrix.MNotFound) || errors.Is(err, mautrix.MForbidden) {
			l.remove(ctx, entry.Event)
			continue
		} else if err != nil {
			// Not fatal: the message stays in the list and is looked for at the next start.
			zerolog.Ctx(ctx).Warn().Err(err).Stringer("event_id", entry.Event).Msg("Failed to get a message that waits for its key")
			continue
		}
		evt.RoomID = entry.Room
		prepare(ctx, evt, event.UnknownEventType)
		l.connector.intake.handle(l.connector.life, evt)
		if !l.hasEvent(entry.Event) {
			l.remove(ctx, entry.Event)
		}
	}
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
	key := lateSession{evt.RoomID, content.SessionID}
	if err := l.store(ctx, lateEntry{Room: evt.RoomID, Event: evt.ID, Since: time.Now()}); err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to note a message that waits for its key")
		l.connector.tellUndecryptable(ctx, evt, errKeyMissing)
		return
	}
	l.lock.Lock()
	waiting := l.sessions[key]
	if waiting == nil {
		waiting = &lateEvents{come: make(chan struct{}, 1)}
		l.sessions[key] = waiting
		// The waiter outlives the transaction that brought the message.
		waiterCtx := zerolog.Ctx(ctx).WithContext(l.connector.life)
		l.waiters.Go(func() { l.waitFor(waiterCtx, key, waiting, evt.Sender, content) })
	}
	waiting.events = append(waiting.events, evt)
	l.lock.Unlock()
	zerolog.Ctx(ctx).Debug().Stringer("session_id", content.SessionID).Msg("A message waits for its key")
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
	if session, err := l.connector.crypto.store.GetGroupSession(ctx, key.room, key.session); session != nil || err != nil {
		l.arrived(key.room, key.session)
	}
	for {
		select {
		case <-waiting.come:
			l.finish(ctx, key, true)
			return
		case <-request.C:
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
	for _, evt := range waiting.events {
		if ctx.Err() != nil {
			return
		}
		decrypted, err := l.connector.crypto.Decrypt(ctx, evt)
		switch {
		case err == nil:
			l.connector.intake.message(ctx, decrypted)
		case found:
			l.connector.tellUndecryptable(ctx, evt, err)
		default:
			l.connector.tellUndecryptable(ctx, evt, errKeyMissing)
		}
		l.remove(ctx, evt.ID)
	}
}

// wait returns when all goroutines have ended. The connector's life must be over.
func (l *lateKeys) wait() { l.waiters.Wait() }

var errTooManyLate = fmt.Errorf("more than %d messages wait for keys", maxLateEvents)

func (l *lateKeys) store(ctx context.Context, entry lateEntry) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if _, known := l.stored[entry.Event]; known {
		return nil
	}
	if len(l.stored) >= maxLateEvents {
		return errTooManyLate
	}
	l.stored[entry.Event] = entry
	if err := l.write(ctx); err != nil {
		delete(l.stored, entry.Event)
		return err
	}
	return nil
}

func (l *lateKeys) remove(ctx context.Context, evt id.EventID) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.stored, evt)
	if err := l.write(ctx); err != nil {
		// The message is handled again at the next start, and recognized then.
		zerolog.Ctx(ctx).Err(err).Stringer("event_id", evt).Msg("Failed to take a message off the list of those that wait")
	}
}

func (l *lateKeys) write(ctx context.Context) error {
	entries := make([]lateEntry, 0, len(l.stored))
	for _, entry := range l.stored {
		entries = append(entries, entry)
	}
	data, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	return l.connector.options.KV.Set(ctx, lateEventsKey, data)
}
