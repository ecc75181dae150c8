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
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// megolm encrypts and decrypts as the bot's device. mautrix has such a helper, but that one ends the program when a
// sync fails for good, forgets its place in the sync before the events are handled, gives up on late keys without a
// trace, and keeps the recovery key in the clear.
type megolm struct {
	connector *Connector
	store     *cryptoStore
	client    *mautrix.Client
	machine   *crypto.OlmMachine
	log       zerolog.Logger

	endExpiry context.CancelFunc
	expiry    sync.WaitGroup
}

var _ matrix.Crypto = (*megolm)(nil)

func newMegolm(c *Connector) *megolm {
	return &megolm{connector: c, log: c.Log.With().Str("component", "encryption").Logger()}
}

// Init logs the bot's device in, makes sure that the server has its keys, and signs it.
func (m *megolm) Init(ctx context.Context) error {
	config := m.connector.Config
	pickle := m.connector.options.Secrets("matrix-pickle-key")
	ghosts := fmt.Sprintf("@%s:%s", strings.ReplaceAll(config.AppService.FormatUsername("%"), "_", `\_`), config.Homeserver.Domain)
	m.store = newCryptoStore(
		m.connector.Bridge.DB.Database,
		dbutil.ZeroLogger(m.log.With().Str("db_section", "crypto").Logger()),
		string(m.connector.Bridge.ID), m.connector.Bot.UserID, ghosts, string(pickle[:]),
	)
	if err := m.store.DB.Upgrade(ctx); err != nil {
		return bridgev2.DBUpgradeError{Section: "crypto", Err: err}
	}
	existing, err := m.login(ctx)
	if err != nil {
		return err
	}
	if err = m.load(ctx, existing); err != nil {
		return err
	}
	if err = m.sign(ctx); err != nil {
		return err
	}
	expiryCtx, cancel := context.WithCancel(m.log.WithContext(context.Background()))
	m.endExpiry = cancel
	m.expiry.Go(func() { m.machine.ExpiredKeyDeleteLoop(expiryCtx) })
	return nil
}

// load makes the machine and checks that the server still has the device's keys. If it does not, nobody can encrypt to
// the device any more, so it is given up and a new one is made, once.
func (m *megolm) load(ctx context.Context, existing bool) error {
	m.newMachine()
	if err := m.machine.Load(ctx); err != nil {
		return fmt.Errorf("failed to load the bot's keys: %w", err)
	}
	if existing {
		published, err := m.keysPublished(ctx)
		if err != nil {
			return err
		} else if published {
			return nil
		}
		m.log.Warn().Stringer("device_id", m.client.DeviceID).Msg("The homeserver lost the keys of the bot's device, making a new device")
		if err = m.forgetDevice(ctx); err != nil {
			return err
		}
		if _, err = m.login(ctx); err != nil {
			return err
		}
		m.newMachine()
		if err = m.machine.Load(ctx); err != nil {
			return fmt.Errorf("failed to make the bot's keys: %w", err)
		}
	}
	if err := m.machine.ShareKeys(ctx, -1); err != nil {
		return fmt.Errorf("failed to upload the bot's keys: %w", err)
	}
	return nil
}

func (m *megolm) newMachine() {
	m.machine = crypto.NewOlmMachine(m.client, &m.log, m.store, m.connector.StateStore)
	m.machine.DisableSharedGroupSessionTracking = true
	// Keys of messages that the bridge sent are kept too (DontStoreOutboundKeys is off), so that an answer to one can
	// quote it; see Content. They are stored when a session is made, from its first message on, and like those that
	// were received they are erased by ExpiredKeyDeleteLoop when twice the session's lifetime has passed. A session is
	// used for a week unless the room says otherwise, so the key of a message lives for one to two weeks. It is
	// handed to nobody.
	// The bridge never throws away part of a session, so it need not write down which parts it used: one write less for
	// every message.
	m.machine.DisableRatchetTracking = true
	m.machine.AllowKeyShare = func(context.Context, *id.Device, event.RequestedKeyInfo) *crypto.KeyShareRejection {
		return &crypto.KeyShareRejectNoResponse
	}
	// Keys of messages that were received are kept until their session expires. Deleting them at once, as mautrix can,
	// would lose a message that the homeserver delivers a second time because we were killed during the first.
	m.machine.DeleteKeysOnDeviceDelete = true
	m.machine.SessionReceived = func(_ context.Context, room id.RoomID, session id.SessionID, _ uint32) {
		m.connector.late.arrived(room, session)
	}
}

func (m *megolm) keysPublished(ctx context.Context) (bool, error) {
	answer, err := m.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{
		DeviceKeys: mautrix.DeviceKeysRequest{m.client.UserID: {m.client.DeviceID}},
	})
	if err != nil {
		return false, fmt.Errorf("failed to ask for the bot's keys: %w", err)
	}
	return len(answer.DeviceKeys[m.client.UserID][m.client.DeviceID].Keys) > 0, nil
}

// forgetDevice erases everything that belongs to the device, so that the next login makes a new one.
func (m *megolm) forgetDevice(ctx context.Context) error {
	return m.store.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, table := range []string{"crypto_megolm_outbound_session", "crypto_olm_session", "crypto_account"} {
			if _, err := m.store.DB.Exec(ctx, "DELETE FROM "+table+" WHERE account_id=$1", m.store.AccountID); err != nil {
				return fmt.Errorf("failed to erase the bot's old device: %w", err)
			}
		}
		m.store.DeviceID = ""
		return nil
	})
}

// Encrypt implements matrix.Crypto: content is replaced by its encrypted form. A room without a session, or with one
// that is used up, gets a new one first, shared with all members but the contacts.
func (m *megolm) Encrypt(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content) error {
	encrypted, err := m.machine.EncryptMegolmEvent(ctx, room, kind, content)
	if crypto.IsShareError(err) {
		var members []id.UserID
		if members, err = m.members(ctx, room); err != nil {
			return fmt.Errorf("failed to list the members: %w", err)
		}
		if err = m.machine.ShareGroupSession(ctx, room, members); err != nil {
			return fmt.Errorf("failed to share keys: %w", err)
		}
		encrypted, err = m.machine.EncryptMegolmEvent(ctx, room, kind, content)
	}
	if err != nil {
		return err
	}
	content.Parsed, content.Raw = encrypted, nil
	return nil
}

// members returns those who get a room's keys. If nobody is known, the homeserver is asked: it pushes no event that is
// older than our own membership, such as the creator's in a room of another server.
func (m *megolm) members(ctx context.Context, room id.RoomID) ([]id.UserID, error) {
	members, err := m.store.GetRoomJoinedOrInvitedMembers(ctx, room)
	if err != nil || len(members) > 0 {
		return members, err
	}
	if _, err = m.connector.Bot.Members(ctx, room); err != nil {
		return nil, err
	}
	return m.store.GetRoomJoinedOrInvitedMembers(ctx, room)
}

// Decrypt implements matrix.Crypto.
func (m *megolm) Decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	return m.machine.DecryptMegolmEvent(ctx, evt)
}

// HandleMemberEvent implements matrix.Crypto: whoever joins or leaves makes a new session necessary.
func (m *megolm) HandleMemberEvent(ctx context.Context, evt *event.Event) {
	m.machine.HandleMemberEvent(ctx, evt)
}

// WaitForSession implements matrix.Crypto.
func (m *megolm) WaitForSession(
	ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration,
) bool {
	return m.machine.WaitForSession(ctx, room, sender, session, timeout)
}

// RequestSession implements matrix.Crypto: it asks a user's devices for a session's key.
func (m *megolm) RequestSession(
	ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, device id.DeviceID,
) {
	if device == "" {
		device = "*"
	}
	to := map[id.UserID][]id.DeviceID{user: {device}}
	if err := m.machine.SendRoomKeyRequest(ctx, room, sender, session, "", to); err != nil {
		m.log.Warn().Err(err).Stringer("room_id", room).Stringer("session_id", session).Msg("Failed to ask for a key")
	}
}

// ResetSession implements matrix.Crypto: the next message into the room has a new session.
func (m *megolm) ResetSession(ctx context.Context, room id.RoomID) {
	if err := m.machine.CryptoStore.RemoveOutboundGroupSession(ctx, room); err != nil {
		m.log.Err(err).Stringer("room_id", room).Msg("Failed to drop a Megolm session")
	}
}

// errNoReset: a reset while the daemon runs would pull the keys away under messages that are on their way.
var errNoReset = errors.New("the bot's device is only made anew at start")

// Reset implements matrix.Crypto. It is not offered: Init makes a new device when that is necessary.
func (m *megolm) Reset(context.Context, bool) error { return errNoReset }

// Start implements matrix.Crypto. The connector starts and stops the bot's sync.
func (m *megolm) Start() {}

// Stop implements matrix.Crypto.
func (m *megolm) Stop() {
	if m.endExpiry != nil {
		m.endExpiry()
		m.expiry.Wait()
		m.machine.Destroy()
	}
}

// Client implements matrix.Crypto.
func (m *megolm) Client() *mautrix.Client { return m.client }

// ShareKeys implements matrix.Crypto.
func (m *megolm) ShareKeys(ctx context.Context) error { return m.machine.ShareKeys(ctx, -1) }

// BeeperStreamPublisher implements matrix.Crypto.
func (m *megolm) BeeperStreamPublisher() bridgev2.BeeperStreamPublisher { return nil }
