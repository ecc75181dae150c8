package homeserver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/id"
)

const (
	// setupTimeout bounds making a device, which takes some tens of milliseconds.
	setupTimeout = 20 * time.Second
	// setupRetryFirst is when a device that could not be made is tried again; it doubles up to setupRetryMax.
	setupRetryFirst = 30 * time.Second
	setupRetryMax   = time.Hour
	// setupPatience is how many failures that may heal, one after the other, keep a contact's messages waiting. With one more they
	// go out under the bot's key.
	setupPatience = 2
)

// retries are the failures of something that is tried again.
type retries struct {
	failures int
	next     time.Time
	pause    time.Duration
}

func (r *retries) fail() {
	r.failures++
	r.pause = min(max(2*r.pause, setupRetryFirst), setupRetryMax)
	r.next = time.Now().Add(r.pause)
}

// load loads the device from the database, if there is one. p is held.
func (s *puppets) load(ctx context.Context, p *puppet) error {
	if p.device != nil {
		return nil
	}
	store := s.crypto.bot.store.of(p.user)
	name, err := store.FindDeviceID(ctx)
	if err != nil {
		return fmt.Errorf("failed to look for the device of %s: %w", p.user, err)
	} else if name == "" {
		return nil
	}
	device := s.crypto.newDevice(p.user, store)
	store.DeviceID = name
	device.client = device.newClient(name)
	if err = device.newMachine(ctx); err != nil {
		return err
	}
	p.device = device
	return nil
}

// setUp makes p ready: the device is loaded, or made, and the homeserver has its keys. If that does not work, p stays as it is. A
// refusal is no error, and neither are many failures: there is no device then, until it is time for another try. p is held.
func (s *puppets) setUp(ctx context.Context, p *puppet) error {
	if time.Now().Before(p.setup.next) && p.setup.failures > setupPatience {
		return nil
	}
	setupCtx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	err := s.trySetUp(setupCtx, p)
	if err == nil {
		p.ready, p.asked, p.setup = true, time.Now(), retries{}
		return nil
	} else if ctx.Err() != nil {
		return ctx.Err()
	}
	p.setup.fail()
	if refused(err) || errors.Is(err, errContactsKeys) {
		p.setup.failures = max(p.setup.failures, setupPatience+1)
	}
	log := zerolog.Ctx(ctx).With().Stringer("user_id", p.user).Int("failures", p.setup.failures).Logger()
	if p.setup.failures <= setupPatience {
		log.Warn().Err(err).Msg("Failed to set a contact's device up, the message waits")
		return fmt.Errorf("failed to set the device of %s up: %w", p.user, err)
	}
	log.Err(err).Dur("retry_in", p.setup.pause).Msg("Failed to set a contact's device up: messages are encrypted by the bot's, and clients warn of them")
	s.warning.raise(s.crypto.connector)
	return nil
}

func (s *puppets) trySetUp(ctx context.Context, p *puppet) error {
	if err := s.crypto.connector.AS.Intent(p.user).EnsureRegistered(ctx); err != nil {
		return err
	}
	if err := s.load(ctx, p); err != nil {
		return err
	}
	if p.device == nil {
		return s.make(ctx, p)
	}
	known, err := p.device.askPublished(ctx)
	if err != nil {
		return err
	}
	if p.device.machine.GetAccount().Shared && !known.has(p.device) {
		zerolog.Ctx(ctx).Warn().Stringer("user_id", p.user).Msg("The homeserver lost the keys of a contact's device, making a new device")
		if err = p.device.giveUp(ctx); err != nil {
			return err
		}
		p.device = nil
		return s.make(ctx, p)
	}
	return p.device.publish(ctx, known)
}

// forget erases a contact's device here and at the homeserver. What the homeserver does not do is not tried again.
func (s *puppets) forget(ctx context.Context, user id.UserID) error {
	p, unlock, err := s.hold(ctx, user)
	if err != nil {
		return err
	}
	defer unlock()
	if err = s.load(ctx, p); err != nil {
		return err
	} else if p.device == nil {
		return nil
	}
	if err = p.device.retire(ctx); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("The homeserver keeps a device that is not used any more")
	}
	if err = p.device.giveUp(ctx); err != nil {
		return err
	}
	p.device, p.ready = nil, false
	return nil
}

// make makes a new device. The homeserver is asked beside that what it has of the contact, since the database may have been lost.
func (s *puppets) make(ctx context.Context, p *puppet) error {
	store := s.crypto.bot.store.of(p.user)
	device := s.crypto.newDevice(p.user, store)
	device.collected = time.Now() // nothing can wait for it
	store.DeviceID = newDeviceID()
	device.client = device.newClient(store.DeviceID)
	var known *published
	var askErr, err error
	var asking sync.WaitGroup
	asking.Go(func() { known, askErr = device.askPublished(ctx) })
	if s.crypto.connector.features.MSC4190 {
		err = device.create(ctx, store.DeviceID)
	} else {
		_, err = device.session(ctx)
	}
	asking.Wait()
	if err = errors.Join(err, askErr); err != nil {
		return err
	}
	if err = device.newMachine(ctx); err != nil {
		return err
	}
	if err = device.publish(ctx, known); err != nil {
		device.close()
		return err
	}
	p.device = device
	return nil
}
