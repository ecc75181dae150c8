package phone

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	waLog "go.mau.fi/whatsmeow/util/log"

	"postern/gatekeeper/waclient"
)

// eventTimeout bounds what is looked up for one event.
const eventTimeout = 10 * time.Second

// Phone is one user's phone. All methods are safe for concurrent use.
type Phone struct {
	number   string // with the plus
	client   *waclient.Client
	registry Registry
	log      zerolog.Logger

	// work counts what runs beside the client and ends with it.
	work sync.WaitGroup

	mu     sync.Mutex
	online bool
	// gone is true after the gatekeeper took the device out of the account. It does not come back.
	gone    bool
	memory  memory
	blocked map[types.JID]bool
	change  chan struct{} // closed and replaced with every change of anything above
}

func newPhone(ctx context.Context, number string, device *store.Device, options Options) (*Phone, error) {
	log := options.Log.With().Stringer("device", device.ID).Logger()
	p := &Phone{
		number: number, client: waclient.New(device, options.ChatURL, waLog.Zerolog(log.Level(zerolog.WarnLevel))), registry: options.Registry,
		log: log, memory: newMemory(), blocked: make(map[types.JID]bool), change: make(chan struct{}),
	}
	p.client.AddEventHandler(p.handle)
	saved, err := device.Contacts.GetAllContacts(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to load contacts: %w", err)
	}
	for address, info := range saved {
		if info.FullName == "" {
			continue // only known from its messages
		}
		if err = p.update(ctx, address, true, func(*chat) {}); err != nil && !errors.Is(err, ErrNobody) {
			return nil, err
		}
	}
	return p, nil
}

// connect begins to connect. What fails is tried again by the client.
func (p *Phone) connect() error {
	if err := p.client.ConnectContext(p.client.BackgroundEventCtx); err != nil {
		return fmt.Errorf("failed to connect a phone: %w", err)
	}
	return nil
}

func (p *Phone) close() {
	p.client.Close()
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memory.forgetTyping()
}

// Number is the user's phone number, with a plus.
func (p *Phone) Number() string { return p.number }

// Name is the user's own name.
func (p *Phone) Name() string { return p.client.Store.PushName }

// Online tells whether the phone is connected and logged in.
func (p *Phone) Online() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.online
}

// waitOnline returns when the phone is connected and its keys are at the gatekeeper, or when ctx ends.
func (p *Phone) waitOnline(ctx context.Context) {
	for {
		change := p.Change()
		if p.Online() {
			return
		}
		select {
		case <-change:
		case <-ctx.Done():
			return
		}
	}
}

// Gone tells whether the device was taken out of the account: it has to be added again.
func (p *Phone) Gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// Change returns a channel that is closed at the next change of anything that the phone shows.
func (p *Phone) Change() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.change
}

// changed must be called with mu held, after every change.
func (p *Phone) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

// handle takes whatsmeow's events, one after the other.
func (p *Phone) handle(event any) {
	ctx, cancel := context.WithTimeout(p.client.BackgroundEventCtx, eventTimeout)
	defer cancel()
	var err error
	switch event := event.(type) {
	case *events.Connected:
		p.setOnline(true)
		p.work.Go(p.loadBlocklist) // not here: the answer would not be read meanwhile
	case *events.Disconnected:
		p.setOnline(false)
	case *events.LoggedOut:
		p.mu.Lock()
		p.online, p.gone = false, true
		p.changed()
		p.mu.Unlock()
	case *events.Message:
		err = p.receive(ctx, event)
	case *events.UndecryptableMessage:
		err = p.receiveUnreadable(ctx, event)
	case *events.Receipt:
		p.receipt(event)
	case *events.ChatPresence:
		p.presence(event)
	case *events.IdentityChange:
		p.identityChanged(event)
	}
	if err != nil {
		p.log.Err(err).Type("event", event).Msg("Phone cannot show something")
	}
}

func (p *Phone) setOnline(online bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.online = online
	p.changed()
}
