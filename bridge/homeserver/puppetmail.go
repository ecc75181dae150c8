package homeserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/goolm/account"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Users' clients send the keys of their messages to all members of a room, so to the contact's device as well as to the bot's. The
// bot's is enough, but for a room that the bot was taken out of. Where to-device messages come in transactions, those for
// contacts are handled as they come. Elsewhere they wait at the homeserver until they are collected: before the contact's
// device shares a new session, since one may say that the user's client needs a new Olm session, and when a key is missing.

const (
	// collectRounds bounds what is read at a time, each as much as the homeserver gives, and collectTimeout how long that may take.
	collectRounds  = 5
	collectTimeout = 10 * time.Second
	// collectFilter asks for nothing but to-device messages.
	collectFilter = `{"presence":{"not_types":["*"]},"account_data":{"not_types":["*"]},"room":{"account_data":{"not_types":["*"]},` +
		`"ephemeral":{"not_types":["*"]},"state":{"not_types":["*"]},"timeline":{"not_types":["*"],"limit":1}}}`
	// collectInterval is the least time between two looks before sessions are shared. Only a chat with hundreds of messages in that time
	// shares more than one session in it, and would be held up by looking each time.
	collectInterval = 10 * time.Minute
	// maxCollectors bounds the contacts of one room that are looked at for a missing key. A chat has one.
	maxCollectors = 3
)

// receive takes a message that was sent to the device.
func (d *device) receive(ctx context.Context, evt *event.Event) {
	if evt.Type == event.ToDeviceEncrypted {
		d.machine.HandleToDeviceEvent(ctx, evt)
	}
}

// refillOneTimeKeys makes new ones when those that were made are used up.
func (d *device) refillOneTimeKeys(ctx context.Context) {
	olm, ok := d.machine.GetAccount().Internal.(*account.Account)
	if !ok || !d.machine.GetAccount().Shared || len(olm.OTKeys) > lowOneTimeKeys {
		return
	}
	d.makeOneTimeKeys(ctx, oneTimeKeys-len(olm.OTKeys))
}

func (d *device) makeOneTimeKeys(ctx context.Context, count int) {
	upload := &keyUpload{}
	err := d.addOneTimeKeys(upload, count)
	if err == nil {
		err = d.upload(ctx, upload)
	}
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("user_id", d.user).Msg("Failed to make one-time keys for a contact")
	}
}

// collectBeforeSharing reads what waits for a contact's device. A failure is noted only: the key can be shared all the same.
func (d *device) collectBeforeSharing(ctx context.Context) {
	c := d.crypto.connector
	if c.toDevicePushed.Load() || d.user == c.Bot.UserID {
		return
	}
	d.collecting.Lock()
	recently := time.Since(d.collected) < d.crypto.puppets.collectInterval
	d.collecting.Unlock()
	if recently {
		return
	}
	if err := d.collect(ctx); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("user_id", d.user).Msg("Failed to read what was sent to a contact's device")
	}
}

// collect reads what waits for the device at the homeserver. The place in the sync is stored afterwards; with the next request the
// homeserver deletes what came before it.
func (d *device) collect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, collectTimeout)
	defer cancel()
	d.collecting.Lock()
	defer d.collecting.Unlock()
	session, err := d.session(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for range collectRounds {
		answer, err := session.FullSyncRequest(ctx, mautrix.ReqSync{
			Since: d.store.SyncToken, FilterID: collectFilter, SetPresence: event.PresenceOffline,
		})
		if errors.Is(err, mautrix.MUnknownToken) {
			d.endSession()
		}
		if err != nil {
			return fmt.Errorf("failed to sync as %s: %w", d.user, err)
		}
		// The bot is told of users' devices itself, unless it was taken out of the room.
		d.crypto.handleDeviceLists(ctx, &answer.DeviceLists)
		for _, evt := range answer.ToDevice.Events {
			if evt != nil {
				prepare(ctx, evt, event.ToDeviceEventType)
				d.receive(ctx, evt)
			}
		}
		if left := answer.DeviceOTKCount.SignedCurve25519; left <= lowOneTimeKeys {
			d.makeOneTimeKeys(ctx, oneTimeKeys-left)
		}
		first := d.store.SyncToken == ""
		if err = d.store.PutNextBatch(ctx, answer.NextBatch); err != nil {
			return fmt.Errorf("failed to store how far %s has read: %w", d.user, err)
		}
		d.collected = began
		if len(answer.ToDevice.Events) == 0 && !first {
			return nil
		}
	}
	return nil
}

// collectFor looks for a missing key at the contacts of a room.
func (m *megolm) collectFor(ctx context.Context, room id.RoomID) {
	c := m.connector
	if c.toDevicePushed.Load() {
		return
	}
	members, err := c.StateStore.GetRoomMembers(ctx, room, event.MembershipJoin)
	if err != nil {
		m.log.Err(err).Stringer("room_id", room).Msg("Failed to list the contacts of a room")
		return
	}
	looked := 0
	for member := range members {
		if !c.Bridge.IsGhostMXID(member) || looked == maxCollectors {
			continue
		}
		looked++
		device, release, err := m.puppets.borrow(ctx, member)
		if err != nil || device == nil {
			continue
		}
		if err = device.collect(ctx); err != nil {
			m.log.Warn().Err(err).Stringer("user_id", member).Msg("Failed to read what was sent to a contact's device")
		}
		release()
	}
}
