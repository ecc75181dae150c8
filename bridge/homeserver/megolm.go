package homeserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// megolm encrypts as the devices of the bot and of the contacts, and decrypts as the bot's. mautrix has such a helper for the bot
// alone, but that one ends the program when a sync fails for good, forgets its place in the sync before the events are handled,
// gives up on late keys without a trace, and keeps the recovery key in the clear.
type megolm struct {
	connector *Connector
	bot       *device
	puppets   *puppets
	tracking  sync.Mutex // held while the devices of members are asked for
	log       zerolog.Logger

	preparing  chan struct{}
	background sync.WaitGroup // ends with the connector's life
	looks      secondLooks
	regular    regularLooks
}

var _ matrix.Crypto = (*megolm)(nil)

func newMegolm(c *Connector) *megolm {
	m := &megolm{
		connector: c, log: c.options.EncryptionLog, preparing: make(chan struct{}, maxPreparing),
	}
	m.puppets = newPuppets(m)
	return m
}

// Init logs the bot's device in and makes sure that the server has its keys, signed.
func (m *megolm) Init(ctx context.Context) error {
	config := m.connector.Config
	pickle := m.connector.options.Secrets("matrix-pickle-key")
	ghosts := fmt.Sprintf("@%s:%s", strings.ReplaceAll(config.AppService.FormatUsername("%"), "_", `\_`), config.Homeserver.Domain)
	store := newCryptoStore(
		m.connector.Bridge.DB.Database,
		dbutil.ZeroLogger(m.log.With().Str("db_section", "crypto").Logger()),
		string(m.connector.Bridge.ID), m.connector.Bot.UserID, ghosts, string(pickle[:]),
	)
	if err := store.DB.Upgrade(ctx); err != nil {
		return bridgev2.DBUpgradeError{Section: "crypto", Err: err}
	}
	m.bot = m.newDevice(m.connector.Bot.UserID, store)
	if err := m.loadBot(ctx); err != nil {
		return err
	}
	m.background.Go(func() { m.expire(m.log.WithContext(m.connector.life)) })
	return nil
}

// loadBot makes the machine and checks that the server still has the device's keys. If it does not, nobody can encrypt to
// the device any more, so it is given up and a new one is made, once.
func (m *megolm) loadBot(ctx context.Context) error {
	existing, err := m.loginBot(ctx)
	if err != nil {
		return err
	}
	if err = m.bot.newMachine(ctx); err != nil {
		return err
	}
	known, err := m.bot.askPublished(ctx)
	if err != nil {
		return err
	}
	if existing && m.bot.machine.GetAccount().Shared && !known.has(m.bot) {
		m.log.Warn().Stringer("device_id", m.bot.client.DeviceID).Msg("The homeserver lost the keys of the bot's device, making a new device")
		if err = m.bot.forget(ctx); err != nil {
			return err
		}
		if _, err = m.loginBot(ctx); err != nil {
			return err
		}
		if err = m.bot.newMachine(ctx); err != nil {
			return err
		}
	}
	isNew := !known.has(m.bot)
	if err = m.bot.publish(ctx, known); err != nil || !isNew {
		return err
	}
	m.log.Info().Stringer("device_id", m.bot.client.DeviceID).Msg("Published the keys of the bot's device, signed")
	if err = m.bot.machine.ShareKeys(ctx, -1); err != nil {
		return fmt.Errorf("failed to upload the bot's one-time keys: %w", err)
	}
	return nil
}

const (
	// expireInterval is how often old keys are looked for.
	expireInterval = 24 * time.Hour
	// olmHashLimit is how long a contact's device knows messages that it got, so as not to take one twice. A homeserver repeats
	// one within minutes. The bot's machine has its own rule.
	olmHashLimit = 7 * 24 * time.Hour
)

// expire erases what is too old, until ctx ends.
func (m *megolm) expire(ctx context.Context) {
	for ctx.Err() == nil {
		if sessions, err := m.bot.store.RedactExpiredGroupSessions(ctx); err != nil {
			m.log.Err(err).Msg("Failed to erase expired room keys")
		} else if len(sessions) > 0 {
			m.log.Info().Int("count", len(sessions)).Msg("Erased expired room keys")
		}
		_, err := m.bot.store.DB.Exec(ctx, "DELETE FROM crypto_olm_message_hash WHERE account_id<>$1 AND received_at<$2",
			m.bot.store.AccountID, time.Now().Add(-olmHashLimit).UnixMilli())
		if err != nil {
			m.log.Err(err).Msg("Failed to erase what contacts' devices got")
		}
		_ = sleep(ctx, expireInterval)
	}
}

// Encrypt implements matrix.Crypto: content is replaced by its encrypted form, as the bot's device makes it.
func (m *megolm) Encrypt(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content) error {
	return m.bot.encrypt(ctx, room, kind, content)
}

// encryptAs encrypts for a sender. A contact has a device of its own; for someone else, such as a user whom the bridge acts for, or
// a contact whose device cannot be had, the bot's is used. It waits as [newcomers] do.
func (m *megolm) encryptAs(ctx context.Context, sender id.UserID, room id.RoomID, kind event.Type, content *event.Content) error {
	isContact := m.connector.Bridge.IsGhostMXID(sender)
	for asked := false; ; {
		device, release := m.bot, func() {}
		if isContact {
			own, put, err := m.puppets.borrow(ctx, sender)
			if err != nil {
				return err
			} else if own != nil {
				device, release = own, put
			}
		}
		err := m.connector.newcomers.wait(ctx, room, sender)
		if err == nil {
			err = device.encrypt(ctx, room, kind, content)
		}
		release()
		switch {
		case err == nil:
			m.lookRegularly(room)
			return nil
		case isContact && errors.Is(err, errUnknownDevice) && !asked: // there was no news of it
			m.puppets.doubt([]id.UserID{sender})
			asked = true
		case !errors.Is(err, errGone):
			return err
		}
	}
}

// errUnknownDevice is how Synapse refuses what is asked as a device that it does not have any more.
var errUnknownDevice = mautrix.RespError{ErrCode: "M_UNKNOWN_DEVICE"}

// prepare gives a contact a device, before others can see the contact in a room. Failures are found again by whoever encrypts.
func (m *megolm) prepare(ctx context.Context, user id.UserID) {
	if !m.connector.Bridge.IsGhostMXID(user) {
		return
	}
	if device, release, err := m.puppets.borrow(ctx, user); err == nil && device != nil {
		release()
	}
}

// maxPreparing is how many devices are made in the background at a time. Others are made when they are needed.
const maxPreparing = 8

// prepareSoon is prepare in the background.
func (m *megolm) prepareSoon(user id.UserID) {
	if !m.connector.Bridge.IsGhostMXID(user) || m.connector.life.Err() != nil {
		return
	}
	select {
	case m.preparing <- struct{}{}:
	default:
		return
	}
	m.background.Go(func() {
		defer func() { <-m.preparing }()
		m.prepare(m.log.WithContext(m.connector.life), user)
	})
}

// Decrypt implements matrix.Crypto. Whichever of our devices got the key, the bot has it.
func (m *megolm) Decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	return m.bot.machine.DecryptMegolmEvent(ctx, evt)
}

// HandleMemberEvent implements matrix.Crypto: whoever joins or leaves makes new sessions necessary.
func (m *megolm) HandleMemberEvent(ctx context.Context, evt *event.Event) {
	m.bot.machine.HandleMemberEvent(ctx, evt)
}

// handleHistoryVisibility makes new sessions where it changed whether later members may have their keys, which a key says.
func (m *megolm) handleHistoryVisibility(ctx context.Context, evt *event.Event) {
	content, ok := evt.Content.Parsed.(*event.HistoryVisibilityEventContent)
	if !ok {
		return
	}
	var outdated bool
	err := m.bot.store.DB.QueryRow(ctx, "SELECT EXISTS(SELECT 1 FROM crypto_megolm_outbound_session WHERE room_id=$1 AND shared_history<>$2)",
		evt.RoomID, content.SharedHistory()).Scan(&outdated)
	if err != nil {
		m.log.Err(err).Stringer("room_id", evt.RoomID).Msg("Failed to look for Megolm sessions that are outdated")
	} else if outdated {
		m.ResetSession(ctx, evt.RoomID)
	}
}

// WaitForSession implements matrix.Crypto.
func (m *megolm) WaitForSession(
	ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration,
) bool {
	return m.bot.machine.WaitForSession(ctx, room, sender, session, timeout)
}

// RequestSession implements matrix.Crypto: it asks a user's devices for a session's key.
func (m *megolm) RequestSession(
	ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, device id.DeviceID,
) {
	if device == "" {
		device = "*"
	}
	to := map[id.UserID][]id.DeviceID{user: {device}}
	if err := m.bot.machine.SendRoomKeyRequest(ctx, room, sender, session, "", to); err != nil {
		m.log.Warn().Err(err).Stringer("room_id", room).Stringer("session_id", session).Msg("Failed to ask for a key")
	}
}

// ResetSession implements matrix.Crypto: the next message into the room has a new session, whoever of us sends it.
func (m *megolm) ResetSession(ctx context.Context, room id.RoomID) {
	if err := m.bot.store.RemoveOutboundGroupSession(ctx, room); err != nil {
		m.log.Err(err).Stringer("room_id", room).Msg("Failed to drop the Megolm sessions of a room")
	}
}

// errNoReset: a reset while the daemon runs would pull the keys away under messages that are on their way.
var errNoReset = errors.New("the bot's device is only made anew at start")

// Reset implements matrix.Crypto. It is not offered: Init makes a new device when that is necessary.
func (m *megolm) Reset(context.Context, bool) error { return errNoReset }

// Start implements matrix.Crypto. The connector starts and stops the bot's sync.
func (m *megolm) Start() {}

// Stop implements matrix.Crypto. The connector's life must be over.
func (m *megolm) Stop() {
	m.background.Wait()
	m.puppets.close()
	if m.bot != nil {
		m.bot.close()
	}
}

// Client implements matrix.Crypto.
func (m *megolm) Client() *mautrix.Client { return m.bot.client }

// ShareKeys implements matrix.Crypto.
func (m *megolm) ShareKeys(ctx context.Context) error { return m.bot.machine.ShareKeys(ctx, -1) }

// BeeperStreamPublisher implements matrix.Crypto.
func (m *megolm) BeeperStreamPublisher() bridgev2.BeeperStreamPublisher { return nil }
