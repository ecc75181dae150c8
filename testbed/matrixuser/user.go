package matrixuser

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/record"
)

const (
	// retryPause is how long a user waits after a failed sync. Short, because tests stop and start homeservers.
	retryPause = 100 * time.Millisecond
	// timelineLimit is how many events of one room a sync may bring. A gap would hide events from waiting tests.
	timelineLimit = 10_000
)

// Options say who the user is. HomeserverURL, Account and Dir must be set.
type Options struct {
	HomeserverURL string
	Account       *homeserver.Account
	// Dir takes the user's key database. It must exist and be empty.
	Dir string
	// Log may stay unset. The client logs identifiers, not what people write.
	Log zerolog.Logger
}

// User is a Matrix user with one device. Its methods are safe for concurrent use.
type User struct {
	// Client is the user's own client, for what this package has no verb for.
	Client *mautrix.Client

	account  *homeserver.Account
	helper   *cryptohelper.CryptoHelper
	events   *record.Log[*event.Event]
	failures *record.Log[decryptFailure]

	life    context.Context
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// decryptFailure is an event that the user could not decrypt.
type decryptFailure struct {
	event id.EventID
	err   error
}

// patientSyncer is mautrix's syncer, except that it soon tries again.
type patientSyncer struct{ *mautrix.DefaultSyncer }

// OnFailedSync ends the sync only when the server does not know the user any more.
func (patientSyncer) OnFailedSync(_ *mautrix.RespSync, err error) (time.Duration, error) {
	if errors.Is(err, mautrix.MUnknownToken) {
		return 0, err
	}
	return retryPause, nil
}

// New logs the user's device in, publishes its encryption keys and starts to sync. The caller must Close it.
func New(ctx context.Context, options Options) (*User, error) {
	client, err := mautrix.NewClient(
		options.HomeserverURL, id.UserID(options.Account.UserID), options.Account.AccessToken)
	if err != nil {
		return nil, fmt.Errorf("failed to make client for %s: %w", options.Account.UserID, err)
	}
	client.DeviceID = id.DeviceID(options.Account.DeviceID)
	client.Log = options.Log
	syncer := mautrix.NewDefaultSyncer()
	syncer.FilterJSON = &mautrix.Filter{Room: &mautrix.RoomFilter{Timeline: &mautrix.FilterPart{Limit: timelineLimit}}}
	client.Syncer = patientSyncer{syncer}

	helper, err := cryptohelper.NewCryptoHelper(client, []byte(rand.Text()), filepath.Join(options.Dir, "keys.db"))
	if err != nil {
		return nil, fmt.Errorf("failed to set up encryption for %s: %w", options.Account.UserID, err)
	}
	if err = helper.Init(ctx); err != nil {
		return nil, errors.Join(
			fmt.Errorf("failed to publish encryption keys of %s: %w", options.Account.UserID, err), helper.Close())
	}
	client.Crypto = helper
	// The machine remembers the answer, without a lock: asked for the first time by sender and sync at once, it races.
	if _, err = helper.Machine().GetOwnCrossSigningPublicKeys(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("failed to get keys of %s: %w", options.Account.UserID, err), helper.Close())
	}

	user := &User{
		Client: client, account: options.Account, helper: helper,
		events: record.New[*event.Event](), failures: record.New[decryptFailure](),
	}
	syncer.OnEvent(func(_ context.Context, evt *event.Event) { user.events.Add(evt) })
	helper.DecryptErrorCallback = func(evt *event.Event, err error) { user.failures.Add(decryptFailure{evt.ID, err}) }

	user.Resume()
	return user, nil
}

// Resume syncs again after a Pause, from where that stopped.
func (u *User) Resume() {
	ctx, stop := context.WithCancel(context.Background())
	u.life, u.stop = ctx, stop
	u.events.End(nil) // more may come
	u.stopped.Go(func() { u.events.End(fmt.Errorf("sync ended: %w", u.Client.SyncWithContext(ctx))) })
}

// Pause ends the sync, so that the user neither receives nor decrypts any more.
func (u *User) Pause() {
	u.stop()
	u.stopped.Wait()
}

// Close ends the sync and closes the key database. The device stays logged in.
func (u *User) Close() error {
	u.Pause()
	return u.helper.Close()
}

// ID is the user's Matrix ID.
func (u *User) ID() id.UserID { return u.Client.UserID }

// Account holds the password and the access token.
func (u *User) Account() *homeserver.Account { return u.account }

// DeviceTrust tells how far the user's client trusts a device of someone else, such as cross-signed on first use.
func (u *User) DeviceTrust(ctx context.Context, owner id.UserID, device id.DeviceID) (id.TrustState, error) {
	machine := u.helper.Machine()
	identity, err := machine.GetOrFetchDevice(ctx, owner, device)
	if err != nil {
		return id.TrustStateUnset, fmt.Errorf("failed to fetch device %s of %s: %w", device, owner, err)
	}
	trust, err := machine.ResolveTrustContext(ctx, identity)
	if err != nil {
		return id.TrustStateUnset, fmt.Errorf("failed to resolve trust in device %s of %s: %w", device, owner, err)
	}
	return trust, nil
}

// Devices returns the devices of a user that can decrypt.
func (u *User) Devices(ctx context.Context, owner id.UserID) ([]id.DeviceID, error) {
	answer, err := u.Client.QueryKeys(ctx, &mautrix.ReqQueryKeys{
		DeviceKeys: mautrix.DeviceKeysRequest{owner: mautrix.DeviceIDList{}},
	})
	if err != nil {
		return nil, fmt.Errorf("failed to query devices of %s: %w", owner, err)
	}
	var devices []id.DeviceID
	for device := range answer.DeviceKeys[owner] {
		devices = append(devices, device)
	}
	return devices, nil
}
