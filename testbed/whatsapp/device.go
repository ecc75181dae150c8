package whatsapp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "github.com/mattn/go-sqlite3" // the devices keep their keys in SQLite
	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"postern/gatekeeper/waclient"
	"postern/testbed/record"
)

const (
	// storeOptions make the device's database fast: nothing in it has to outlive a power cut.
	storeOptions = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_txlock=immediate"
	platform     = "postern testbed"
)

// Directory is the part of the gatekeeper that knows accounts.
type Directory interface {
	// RegisterDevice adds a device to the account with the phone number and returns its two addresses.
	RegisterDevice(ctx context.Context, phone string, noiseKey [32]byte) (number, lid types.JID, err error)
}

// Options say whose device it is. All but Log must be set.
type Options struct {
	// Phone is the number of an account that exists, in international form with a plus.
	Phone string
	// Name is the push name, which the device sends with its messages.
	Name      string
	Directory Directory
	// ChatURL is the chat server's websocket.
	ChatURL *url.URL
	// Dir takes the device's database. It must exist.
	Dir string
	// Log may stay unset. whatsmeow's debug level shows whole stanzas, though no message text.
	Log zerolog.Logger
}

// Device is one device of a WhatsApp user. Its methods are safe for concurrent use.
type Device struct {
	// Client is whatsmeow's, for what this package has no verb for.
	Client *whatsmeow.Client

	client    *waclient.Client
	options   Options
	container *sqlstore.Container
	events    *record.Log[any]
	path      string // of the database, as sqlite3 takes it
}

// New registers a device. It is not connected yet, so that all devices of an account can be registered first. The
// caller must Close it.
func New(ctx context.Context, options Options) (*Device, error) {
	d := &Device{options: options, events: record.New[any]()}
	err := d.install(ctx, func(device *store.Device) error {
		number, lid, err := options.Directory.RegisterDevice(ctx, options.Phone, *device.NoiseKey.Pub)
		waclient.Register(device, number, lid, options.Name, platform)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("failed to register device of %s: %w", options.Phone, err)
	}
	return d, nil
}

// Reinstall does what people do who lost their phone: the device keeps its address and gets new Signal keys, and so a
// new identity. It is not connected afterwards. Nobody may use the device meanwhile.
func (d *Device) Reinstall(ctx context.Context) error {
	old := d.Client.Store
	if err := d.Close(); err != nil {
		return err
	}
	return d.install(ctx, func(device *store.Device) error {
		device.NoiseKey = old.NoiseKey
		waclient.Register(device, *old.ID, old.LID, d.options.Name, platform)
		return nil
	})
}

// install makes an empty store and a client on it. register fills in what a phone gets when it registers.
func (d *Device) install(ctx context.Context, register func(*store.Device) error) error {
	log := waLog.Zerolog(d.options.Log)
	path := "file:" + filepath.Join(d.options.Dir, "device-"+rand.Text()+".db") + storeOptions
	container, err := sqlstore.New(ctx, "sqlite3", path, log)
	if err != nil {
		return fmt.Errorf("failed to open store: %w", err)
	}
	device := container.NewDevice()
	if err = register(device); err != nil {
		return errors.Join(err, container.Close())
	}
	if err = device.Save(ctx); err != nil {
		return errors.Join(err, container.Close())
	}
	client := waclient.New(device, d.options.ChatURL, log)
	client.AddEventHandler(d.events.Add)
	d.Client, d.client, d.container, d.path = client.Client, client, container, path
	return nil
}

// Connect logs in and waits until messages flow.
func (d *Device) Connect(ctx context.Context) error {
	mark := d.events.Mark()
	if err := d.Client.ConnectContext(d.Client.BackgroundEventCtx); err != nil {
		return fmt.Errorf("failed to connect %s: %w", d.JID(), err)
	}
	return d.waitConnected(ctx, mark)
}

// WaitOnline waits until the device is logged in, for the first time or again. A device reconnects by itself.
func (d *Device) WaitOnline(ctx context.Context) error {
	ticker := time.NewTicker(waclient.ReconnectPause)
	defer ticker.Stop()
	for !d.Client.IsLoggedIn() || !d.Client.IsConnected() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is not online: %w", d.JID(), ctx.Err())
		}
	}
	return nil
}

// Disconnect goes offline. Messages wait in the gatekeeper's mailbox until Connect.
func (d *Device) Disconnect() { d.Client.Disconnect() }

// Close goes offline for good.
func (d *Device) Close() error {
	d.client.Close()
	return d.container.Close()
}

// JID is the device's address with the phone number.
func (d *Device) JID() types.JID { return d.Client.Store.GetJID() }

func (d *Device) waitConnected(ctx context.Context, mark record.Mark) error {
	_, err := d.WaitAfter(ctx, mark, "login", func(evt any) bool {
		_, ok := evt.(*events.Connected)
		return ok
	})
	return err
}
