package whatsapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"postern/testbed/record"
)

const (
	// storeOptions make the device's database fast: nothing in it has to outlive a power cut.
	storeOptions = "?_foreign_keys=on&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_txlock=immediate"
	// reconnectPause is what is left of whatsmeow's growing pauses, so that tests of outages are short.
	reconnectPause = 200 * time.Millisecond
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

	container *sqlstore.Container
	events    *record.Log[any]
	// turn is held while a message is encrypted or decrypted. whatsmeow does both on one session at the same time, and
	// then one of the two states of the ratchet is lost. What is tested here is the bridge, not that.
	turn   *sync.Mutex
	cancel context.CancelFunc
}

// New registers a device. It is not connected yet, so that all devices of an account can be registered first. The
// caller must Close it.
func New(ctx context.Context, options Options) (*Device, error) {
	log := waLog.Zerolog(options.Log)
	path := "file:" + filepath.Join(options.Dir, "device-"+rand8()+".db") + storeOptions
	container, err := sqlstore.New(ctx, "sqlite3", path, log)
	if err != nil {
		return nil, fmt.Errorf("failed to open store of %s: %w", options.Phone, err)
	}
	device, turn, err := register(ctx, container, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to register device of %s: %w", options.Phone, err), container.Close())
	}
	background, cancel := context.WithCancel(context.Background())
	client := whatsmeow.NewClient(device, log)
	client.SetWebsocketHTTPClient(&http.Client{Transport: sandboxTransport{options.ChatURL, http.DefaultTransport}})
	client.BackgroundEventCtx = background
	client.EnableDecryptedEventBuffer = true
	client.SynchronousAck = true
	client.UseRetryMessageStore = true
	client.InitialAutoReconnect = true
	client.AutoReconnectHook = func(error) bool {
		client.AutoReconnectErrors = 0
		select {
		case <-background.Done():
			return false
		case <-time.After(reconnectPause):
			return true
		}
	}
	client.SetForceActiveDeliveryReceipts(true)
	d := &Device{Client: client, container: container, events: record.New[any](), turn: turn, cancel: cancel}
	client.AddEventHandler(d.events.Add)
	return d, nil
}

// register fills in what a phone would get by scanning the QR code.
func register(ctx context.Context, container *sqlstore.Container, options Options) (*store.Device, *sync.Mutex, error) {
	device := container.NewDevice()
	number, lid, err := options.Directory.RegisterDevice(ctx, options.Phone, *device.NoiseKey.Pub)
	if err != nil {
		return nil, nil, err
	}
	device.ID, device.LID = &number, lid
	device.PushName = options.Name
	device.Platform = "postern testbed"
	device.Account = &waAdv.ADVSignedDeviceIdentity{
		Details:             []byte{},
		AccountSignatureKey: make([]byte, 32),
		AccountSignature:    make([]byte, 64),
		DeviceSignature:     make([]byte, 64),
	}
	if err = device.Save(ctx); err != nil {
		return nil, nil, err
	}
	turn := &sync.Mutex{}
	device.EventBuffer = turnTakingBuffer{device.EventBuffer, turn}
	return device, turn, nil
}

// turnTakingBuffer is the store's own event buffer, whose transaction every decryption runs in.
type turnTakingBuffer struct {
	store.EventBuffer
	turn *sync.Mutex
}

// DoDecryptionTxn waits until no message is being sent.
func (b turnTakingBuffer) DoDecryptionTxn(ctx context.Context, fn func(context.Context) error) error {
	b.turn.Lock()
	defer b.turn.Unlock()
	return b.EventBuffer.DoDecryptionTxn(ctx, fn)
}

// Connect logs in and waits until messages flow.
func (d *Device) Connect(ctx context.Context) error {
	mark := d.events.Mark()
	if err := d.Client.ConnectContext(d.Client.BackgroundEventCtx); err != nil {
		return fmt.Errorf("failed to connect %s: %w", d.JID(), err)
	}
	return d.waitConnected(ctx, mark)
}

// Disconnect goes offline. Messages wait in the gatekeeper's mailbox until Connect.
func (d *Device) Disconnect() { d.Client.Disconnect() }

// Close goes offline for good.
func (d *Device) Close() error {
	d.cancel()
	d.Client.Disconnect()
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
