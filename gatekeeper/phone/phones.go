package phone

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	waLog "go.mau.fi/whatsmeow/util/log"

	"postern/gatekeeper/waclient"
)

const (
	// maxPhones is how many phones one sandbox has.
	maxPhones = 20
	// firstLogin is how long a new phone is waited for.
	firstLogin = 10 * time.Second
	// platform is what the clients say that they run on.
	platform = "postern phone page"
)

// Options say where the phones keep their keys, and whom they talk to. All must be set.
type Options struct {
	// Database is the path of the SQLite file with the keys. It is made if missing.
	Database string
	// ChatURL is the gatekeeper's chat channel, RootKey what its certificates lead to.
	ChatURL  *url.URL
	RootKey  [32]byte
	Registry Registry
	Log      zerolog.Logger
}

// Phones are all phones of a sandbox. All methods are safe for concurrent use.
type Phones struct {
	options   Options
	container *sqlstore.Container
	quit      chan struct{}

	// adding is held while a phone is added.
	adding sync.Mutex
	mu     sync.Mutex
	phones map[string]*Phone // by number, with the plus
}

// Open opens the database and connects the phones in it. A phone that cannot connect tries again by itself.
func Open(ctx context.Context, options Options) (*Phones, error) {
	if err := waclient.Trust(options.RootKey); err != nil {
		return nil, err
	}
	container, err := sqlstore.New(ctx, "sqlite3-fk-wal", "file:"+options.Database+"?_txlock=immediate", waLog.Zerolog(options.Log))
	if err != nil {
		return nil, fmt.Errorf("failed to open the phones' database: %w", err)
	}
	p := &Phones{options: options, container: container, quit: make(chan struct{}), phones: make(map[string]*Phone)}
	devices, err := container.GetAllDevices(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to load the phones: %w", err), container.Close())
	}
	for _, device := range devices {
		if err = p.start(ctx, device); err != nil {
			options.Log.Err(err).Stringer("device", device.ID).Msg("Phone cannot be used")
		}
	}
	return p, nil
}

// start connects a device that is registered.
func (p *Phones) start(ctx context.Context, device *store.Device) error {
	number := "+" + device.ID.User
	started, err := newPhone(ctx, number, device, p.options)
	if err != nil {
		return err
	}
	p.mu.Lock()
	old := p.phones[number]
	p.phones[number] = started
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
	return started.connect()
}

// Add opens the phone of the account with the number. It makes the account if there is none, and one more device of it if
// it has no phone here. Of an account that exists, name changes nothing. A new phone is connected then and can be written to,
// unless that takes too long.
func (p *Phones) Add(ctx context.Context, number, name string) (*Phone, error) {
	p.adding.Lock()
	defer p.adding.Unlock()
	account, err := p.options.Registry.Account(ctx, number, name)
	if err != nil {
		return nil, err
	}
	if found := p.Get(account.ID); found != nil && !found.Gone() {
		return found, nil
	}
	if len(p.All()) >= maxPhones {
		return nil, ErrTooMany
	}
	device := p.container.NewDevice()
	jid, lid, err := p.options.Registry.AddDevice(ctx, account.ID, *device.NoiseKey.Pub)
	if err != nil {
		return nil, fmt.Errorf("failed to register a phone: %w", err)
	}
	waclient.Register(device, jid, lid, account.Name, platform)
	if err = device.Save(ctx); err == nil {
		err = p.start(ctx, device)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to start a phone: %w", err)
	}
	added := p.Get(account.ID)
	ctx, cancel := context.WithTimeout(ctx, firstLogin)
	defer cancel()
	added.waitOnline(ctx)
	return added, nil
}

// Get returns the phone with the number, with its plus; nil if there is none.
func (p *Phones) Get(number string) *Phone {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.phones[number]
}

// All returns all phones, by number.
func (p *Phones) All() []*Phone {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Phone, 0, len(p.phones))
	for _, phone := range p.phones {
		all = append(all, phone)
	}
	slices.SortFunc(all, func(a, b *Phone) int { return strings.Compare(a.number, b.number) })
	return all
}

// Done is closed when the phones begin to close.
func (p *Phones) Done() <-chan struct{} { return p.quit }

// Close disconnects all phones and closes the database. It must be called once.
func (p *Phones) Close() error {
	close(p.quit)
	p.adding.Lock() // what is being added ends first
	defer p.adding.Unlock()
	for _, phone := range p.All() {
		phone.close()
	}
	return p.container.Close()
}
