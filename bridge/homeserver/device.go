package homeserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/exsync"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// device is a Matrix device of one of our users, the bot or a contact: it owns the Megolm sessions that the user's messages
// are encrypted in. It is signed by the user's own identity, see crosssign.go, and is the only one of this user.
type device struct {
	crypto *megolm
	user   id.UserID
	log    *zerolog.Logger
	store  *cryptoStore
	// client acts as the user and knows the device's name.
	client  *mautrix.Client
	machine *crypto.OlmMachine
	// login is the client that acts as the device; see session.
	login chan *mautrix.Client
	// sharing is held while a message is encrypted for a room.
	sharing *exsync.KeyedMutex[id.RoomID]
	// collecting is held while messages to the device are read. It protects collected: when that was last done, or the device made.
	collecting sync.Mutex
	collected  time.Time
	// using is held for reading by who encrypts as the device, and otherwise by who gives it up. It protects gone.
	using sync.RWMutex
	gone  bool
}

// errGone: another device has taken the place of this one since it was borrowed.
var errGone = errors.New("the device was given up")

// use keeps the device from being given up until the caller has called using.RUnlock, or returns errGone.
func (d *device) use() error {
	d.using.RLock()
	if d.gone {
		d.using.RUnlock()
		return errGone
	}
	return nil
}

// giveUp forgets the device when nobody encrypts as it any more. What was shared by it must not get mixed up with what its successor shares.
func (d *device) giveUp(ctx context.Context) error {
	d.using.Lock()
	defer d.using.Unlock()
	if err := d.forget(ctx); err != nil {
		return err
	}
	d.gone = true
	d.close()
	return nil
}

func (m *megolm) newDevice(user id.UserID, store *cryptoStore) *device {
	d := &device{
		crypto: m, user: user, log: &m.log, store: store,
		login: make(chan *mautrix.Client, 1), sharing: exsync.NewKeyedMutex[id.RoomID](),
	}
	d.login <- nil
	return d
}

// newMachine needs the client, and the name of the device in it.
func (d *device) newMachine(ctx context.Context) error {
	c := d.crypto.connector
	d.machine = crypto.NewOlmMachine(d.client, d.log, d.store, c.StateStore)
	// Keys of messages that the bridge sent are kept too, so that an answer to one can quote it; see Content. They are stored
	// when a session is made, from its first message on, and like those that were received they are erased by expire when
	// twice the session's lifetime has passed. A session is used for a week unless the room says otherwise, so the key of a
	// message lives for one to two weeks. It is handed to nobody.
	// The bridge never throws away part of a session, so it need not write down which parts it used: one write less for
	// every message.
	d.machine.DisableRatchetTracking = true
	d.machine.AllowKeyShare = func(context.Context, *id.Device, event.RequestedKeyInfo) *crypto.KeyShareRejection {
		return &crypto.KeyShareRejectNoResponse
	}
	// Keys of messages that were received are kept until their session expires. Deleting them at once, as mautrix can,
	// would lose a message that the homeserver delivers a second time because we were killed during the first.
	d.machine.DeleteKeysOnDeviceDelete = true
	d.machine.SessionReceived = func(_ context.Context, room id.RoomID, session id.SessionID, _ uint32) {
		c.late.arrived(room, session)
	}
	if err := d.machine.Load(ctx); err != nil {
		return fmt.Errorf("failed to load the keys of %s: %w", d.user, err)
	}
	return d.setIdentity()
}

// forget erases everything that belongs to the device, so that the next one is new. What others sent to it is kept.
func (d *device) forget(ctx context.Context) error {
	err := d.store.DB.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, table := range []string{"crypto_megolm_outbound_session", "crypto_olm_session", "crypto_olm_message_hash", "crypto_account"} {
			if _, err := d.store.DB.Exec(ctx, "DELETE FROM "+table+" WHERE account_id=$1", d.store.AccountID); err != nil {
				return err
			}
		}
		_, err := d.store.DB.Exec(ctx, "DELETE FROM crypto_device WHERE user_id=$1 AND device_id=$2", d.user, d.client.DeviceID)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to erase a device of %s: %w", d.user, err)
	}
	if err = d.crypto.connector.missing.store.DeleteOwner(ctx, d.user); err != nil {
		return err // what nobody can send any more
	}
	d.store.DeviceID, d.store.SyncToken, d.store.Account = "", "", nil
	d.store.InitFields()
	return nil
}

// close ends what the machine does in the background.
func (d *device) close() {
	if d.machine != nil {
		d.machine.Destroy()
	}
}

// isUnsupported tells whether the server does not know what was asked for, rather than being out of order.
func isUnsupported(err error) bool {
	var answer mautrix.HTTPError
	if errors.Is(err, errNoLoginFlow) {
		return true
	}
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode >= 400 && answer.Response.StatusCode < 500
}
