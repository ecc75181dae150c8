package jsuser

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/record"
)

// stopTimeout is how long the program may take to write its store and end.
const stopTimeout = 10 * time.Second

// Options say who the user is. All must be set.
type Options struct {
	HomeserverURL string
	Account       *homeserver.Account
	// Dir takes the client's store and log. It must exist and be empty.
	Dir string
	// Node runs the program that Args name first.
	Node string
	Args []string
}

// User is a Matrix user with one device. Its methods are safe for concurrent use, except for Stop, Start and Close.
type User struct {
	// ExcludeInsecure is the setting that Element calls "exclude insecure devices when sending and receiving messages": what comes from
	// a device that its owner did not sign is not decrypted (MSC4153). Start reads it.
	ExcludeInsecure bool
	// Thinks is how long the user looks at an invitation before they accept it. Start reads it.
	Thinks time.Duration

	options Options
	seen    *record.Log[*Sight]
	client  *client // nil while it does not run
}

// New logs the user's first device in, publishes the user's cross-signing identity, signs the device with it, and starts to sync. The
// caller must Close the user.
func New(ctx context.Context, options Options, excludeInsecure bool) (*User, error) {
	user, err := NewDevice(ctx, options, excludeInsecure)
	if err == nil {
		err = user.client.call(ctx, "publishIdentity", map[string]any{"password": options.Account.Password}, nil)
	}
	if err != nil && user != nil {
		err = errors.Join(fmt.Errorf("failed to publish the identity of %s: %w", options.Account.UserID, err), user.Close())
	}
	return user, err
}

// NewDevice is New for a further device of a user, which none of the user's devices has signed yet.
func NewDevice(ctx context.Context, options Options, excludeInsecure bool) (*User, error) {
	user := &User{ExcludeInsecure: excludeInsecure, options: options, seen: record.New[*Sight]()}
	if err := user.Start(ctx); err != nil {
		return nil, err
	}
	return user, nil
}

// Start runs the client again after Stop. It has what a browser would have kept: its keys, but no events, which it fetches and decrypts
// again, so that all of them are seen once more.
func (u *User) Start(ctx context.Context) error {
	client, err := run(u.options, u.seen)
	if err == nil {
		u.client = client
		err = client.call(ctx, "start", map[string]any{
			"url": u.options.HomeserverURL, "user": u.options.Account.UserID, "device": u.options.Account.DeviceID,
			"token": u.options.Account.AccessToken, "store": filepath.Join(u.options.Dir, "store"), "isolate": u.ExcludeInsecure,
			"thinks": u.Thinks.Milliseconds(),
		}, nil)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("failed to start the client of %s: %w", u.options.Account.UserID, err), u.Close())
	}
	return nil
}

// Stop ends the client, as closing the browser does: it has said to the homeserver how far it got, and writes its store. The device
// stays logged in.
func (u *User) Stop(ctx context.Context) error {
	if u.client == nil {
		return nil
	}
	running := u.client
	u.client = nil
	if err := running.stop(ctx); err != nil {
		return fmt.Errorf("failed to stop the client of %s: %w", u.options.Account.UserID, err)
	}
	return nil
}

// Restart is Stop and Start.
func (u *User) Restart(ctx context.Context) error {
	if err := u.Stop(ctx); err != nil {
		return err
	}
	return u.Start(ctx)
}

// Close ends the client.
func (u *User) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return u.Stop(ctx)
}

// ID is the user's Matrix ID.
func (u *User) ID() id.UserID { return id.UserID(u.options.Account.UserID) }

// Account holds the password and the device.
func (u *User) Account() *homeserver.Account { return u.options.Account }

// WaitDevices returns the devices of a user that the app knows, as soon as one is among them that is not among the old ones.
func (u *User) WaitDevices(ctx context.Context, owner id.UserID, old ...id.DeviceID) (devices []id.DeviceID, err error) {
	if old == nil {
		old = []id.DeviceID{}
	}
	if err = u.client.call(ctx, "devices", map[string]any{"user": owner, "old": old}, &devices); err != nil {
		return nil, fmt.Errorf("failed to wait for a device of %s: %w", owner, err)
	}
	return devices, nil
}

// WaitSigned returns when the app knows that a device is signed by its owner.
func (u *User) WaitSigned(ctx context.Context, owner id.UserID, device id.DeviceID) error {
	if err := u.client.call(ctx, "signed", map[string]any{"user": owner, "device": device}, nil); err != nil {
		return fmt.Errorf("failed to wait for the signature of %s of %s: %w", device, owner, err)
	}
	return nil
}

// SignDevice makes another device of the user a verified one, as soon as the app knows it.
func (u *User) SignDevice(ctx context.Context, device id.DeviceID) error {
	_, err := u.WaitDevices(ctx, u.ID(), id.DeviceID(u.options.Account.DeviceID))
	if err == nil {
		err = u.client.call(ctx, "sign", map[string]any{"device": device}, nil)
	}
	if err != nil {
		return fmt.Errorf("failed to sign %s of %s: %w", device, u.ID(), err)
	}
	return nil
}
