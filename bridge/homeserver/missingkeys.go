package homeserver

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// RoomKey is the key of a session that a device did not get.
type RoomKey struct {
	User    id.UserID // whose device lacks it
	Device  id.DeviceID
	Session id.SessionID
	Owner   id.UserID // of ours, whose messages it is for
	Room    id.RoomID
	Key     []byte // as it is sent, in JSON
}

// RoomKeys keeps room keys, encrypted at rest.
type RoomKeys interface {
	// Put stores keys, all or none. If a device lacks more than limit, its oldest are forgotten.
	Put(ctx context.Context, keys []RoomKey, limit int) error
	// Devices returns devices that lack keys, at most limit.
	Devices(ctx context.Context, limit int) ([]crypto.UserDevice, error)
	// Of returns keys that a device lacks: the oldest, at most limit.
	Of(ctx context.Context, device crypto.UserDevice, limit int) ([]RoomKey, error)
	Delete(ctx context.Context, device crypto.UserDevice, session id.SessionID) error
	DeleteDevice(ctx context.Context, device crypto.UserDevice) error
	DeleteOwner(ctx context.Context, owner id.UserID) error
	DeleteRoom(ctx context.Context, room id.RoomID) error
	// Prune forgets keys that were stored before the time.
	Prune(ctx context.Context, before time.Time) error
}

const (
	// maxMissing bounds the keys that are kept for one device. A key is for up to 100 messages.
	maxMissing = 500
	// missingLimit is how long a key is kept for a device that does not come back.
	missingLimit = 30 * 24 * time.Hour
	// missingDevices and missingBatch bound what is tried at a time: devices, and keys for each.
	missingDevices = 100
	missingBatch   = 50
	// missingRetryFirst is the pause before the next try. It doubles up to missingRetryMax; a sign of life begins anew.
	missingRetryFirst = 5 * time.Second
	missingRetryMax   = 30 * time.Minute
	// missingRest is the least time between two tries.
	missingRest = 5 * time.Second
)

// missingKeys delivers room keys later to devices that could not be reached. To send the first key to a device, each of our devices
// takes a one-time key of it from the homeserver. A phone that was offline for long may have none left there. mautrix takes no
// notice, and its user could never read those messages. Here the keys are kept, and sent when the device has one-time keys again,
// which is soon after it comes online.
type missingKeys struct {
	connector *Connector
	store     RoomKeys
	first     time.Duration
	rest      time.Duration
	wake      chan struct{}
	running   sync.WaitGroup

	lock  sync.Mutex
	users map[id.UserID]struct{} // those whose devices lack keys
}

func newMissingKeys(c *Connector) *missingKeys {
	return &missingKeys{
		connector: c, store: c.options.RoomKeys, first: missingRetryFirst, rest: missingRest,
		wake: make(chan struct{}, 1), users: make(map[id.UserID]struct{}),
	}
}

func (m *missingKeys) start() { m.running.Go(func() { m.run(m.connector.life) }) }

// wait returns when nothing is delivered any more. The connector's life must be over.
func (m *missingKeys) wait() { m.running.Wait() }

// add keeps the key of a session that was not used yet for the devices that did not get it.
func (m *missingKeys) add(ctx context.Context, owner id.UserID, session *crypto.OutboundGroupSession, missed []crypto.UserDevice) error {
	if len(missed) == 0 {
		return nil
	}
	content := session.ShareContent()
	key, err := json.Marshal(&content)
	if err != nil {
		return fmt.Errorf("failed to keep a room key: %w", err)
	}
	keys := make([]RoomKey, len(missed))
	for i, device := range missed {
		keys[i] = RoomKey{User: device.UserID, Device: device.DeviceID, Session: session.ID(), Owner: owner, Room: session.RoomID, Key: key}
		zerolog.Ctx(ctx).Warn().Stringer("user_id", device.UserID).Stringer("device_id", device.DeviceID).Stringer("session_id", session.ID()).
			Msg("A device has no one-time keys left, it gets the key of this session later")
	}
	if err = m.store.Put(ctx, keys, maxMissing); err != nil {
		return fmt.Errorf("failed to keep a room key: %w", err)
	}
	m.lock.Lock()
	for _, device := range missed {
		m.users[device.UserID] = struct{}{}
	}
	m.lock.Unlock()
	m.tryNow()
	return nil
}

// tryNow begins a try, and the pauses anew.
func (m *missingKeys) tryNow() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// online is called when a user showed to be there.
func (m *missingKeys) online(user id.UserID) {
	m.lock.Lock()
	_, lacks := m.users[user]
	m.lock.Unlock()
	if lacks {
		m.tryNow()
	}
}

func (m *missingKeys) run(ctx context.Context) {
	pause := m.first
	for ctx.Err() == nil {
		if err := m.deliver(ctx); err != nil && ctx.Err() == nil {
			zerolog.Ctx(ctx).Err(err).Msg("Failed to deliver room keys that could not be delivered before")
		}
		_ = sleep(ctx, m.rest)
		timer := time.NewTimer(pause)
		select {
		case <-m.wake:
			pause = m.first
		case <-timer.C:
			pause = min(2*pause, missingRetryMax)
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// deliver tries it once for every device.
func (m *missingKeys) deliver(ctx context.Context) error {
	if err := m.store.Prune(ctx, time.Now().Add(-missingLimit)); err != nil {
		return err
	}
	devices, err := m.store.Devices(ctx, missingDevices)
	if err != nil {
		return err
	}
	users := make(map[id.UserID]struct{}, len(devices))
	for _, device := range devices {
		users[device.UserID] = struct{}{}
	}
	m.lock.Lock()
	m.users = users
	m.lock.Unlock()
	for _, device := range devices {
		if err = m.deliverTo(ctx, device); err != nil {
			return err
		}
	}
	return nil
}

// deliverTo sends a device what it lacks, until it turns out that it still has no one-time keys.
func (m *missingKeys) deliverTo(ctx context.Context, to crypto.UserDevice) error {
	known, err := m.connector.crypto.bot.store.GetDevice(ctx, to.UserID, to.DeviceID)
	if err != nil {
		return fmt.Errorf("failed to look up a device: %w", err)
	} else if known == nil || known.Deleted {
		return m.store.DeleteDevice(ctx, to)
	}
	keys, err := m.store.Of(ctx, to, missingBatch)
	if err != nil {
		return err
	}
	for _, key := range keys {
		sent, err := m.connector.crypto.resend(ctx, key)
		if err != nil || !sent {
			return err
		}
		if err = m.store.Delete(ctx, to, key.Session); err != nil {
			return err // it gets the key twice, which does no harm
		}
		zerolog.Ctx(ctx).Info().Stringer("user_id", to.UserID).Stringer("device_id", to.DeviceID).Stringer("session_id", key.Session).
			Msg("A device got a room key that could not be delivered before")
	}
	return nil
}

// resend sends a room key as the device that owns its session. It returns false if the other device cannot be reached.
func (m *megolm) resend(ctx context.Context, key RoomKey) (bool, error) {
	owner, release := m.bot, func() {}
	if key.Owner != m.connector.Bot.UserID {
		var err error
		if owner, release, err = m.puppets.borrow(ctx, key.Owner); err != nil || owner == nil {
			return false, err
		}
	}
	defer release()
	if owner.use() != nil {
		return false, nil // its keys are forgotten
	}
	defer owner.using.RUnlock()
	missed, err := owner.send(ctx, map[id.UserID]map[id.DeviceID]*event.Content{
		key.User: {key.Device: {VeryRaw: key.Key}},
	})
	return err == nil && len(missed) == 0, err
}
