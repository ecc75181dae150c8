package homeserver

import (
	"container/list"
	"context"
	"sync"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

const (
	// maxPuppets is how many contacts' devices are in memory, of those that nobody uses at the moment. One takes up to 12 KiB.
	maxPuppets = 512
	// puppetIdle is how long one stays that is not used.
	puppetIdle = 15 * time.Minute
	// lookTimeout bounds how long a contact's message waits for a look at the contact's device. It takes some milliseconds.
	lookTimeout = 5 * time.Second
)

// puppets are the contacts' devices. They are loaded from the database when they are needed, or made, and dropped when
// others are needed more. A device is never in memory twice: its Olm sessions would go two ways.
type puppets struct {
	crypto          *megolm
	max             int
	collectInterval time.Duration

	lock   sync.Mutex
	loaded map[id.UserID]*list.Element // of *puppet
	order  *list.List                  // the last used first
	closed bool

	warning puppetWarning
}

// puppet is a contact in memory.
type puppet struct {
	user id.UserID
	uses int       // the lock of puppets protects it, and the next two
	used time.Time // last
	// doubted: there was news of the contact's devices, so ours may be gone from the homeserver.
	doubted bool

	busy   chan struct{} // holds one value while someone loads or makes the device, and protects what follows
	device *device       // nil if it is not loaded
	ready  bool          // the homeserver has the device's keys
	asked  time.Time     // when that was found out, or tried last
	setup  retries
}

func newPuppets(m *megolm) *puppets {
	return &puppets{
		crypto: m, max: maxPuppets, collectInterval: collectInterval, loaded: make(map[id.UserID]*list.Element), order: list.New(),
	}
}

// get returns the puppet of a contact, which stays in memory until it is put back.
func (s *puppets) get(user id.UserID) *puppet {
	s.lock.Lock()
	defer s.lock.Unlock()
	element, ok := s.loaded[user]
	if !ok {
		element = s.order.PushFront(&puppet{user: user, busy: make(chan struct{}, 1)})
		s.loaded[user] = element
	}
	s.order.MoveToFront(element)
	p := element.Value.(*puppet)
	p.uses++
	p.used = time.Now()
	if !ok {
		s.evict()
	}
	return p
}

func (s *puppets) put(p *puppet) {
	s.lock.Lock()
	defer s.lock.Unlock()
	p.uses--
	p.used = time.Now()
	if s.closed {
		s.evict()
	}
}

// evict drops what is too much or too old. It is called with the lock held.
func (s *puppets) evict() {
	oldest := time.Now().Add(-puppetIdle)
	for element := s.order.Back(); element != nil; {
		p, previous := element.Value.(*puppet), element.Prev()
		if len(s.loaded) <= s.max && !p.used.Before(oldest) && !s.closed {
			return
		}
		if p.uses == 0 {
			s.order.Remove(element)
			delete(s.loaded, p.user)
			if p.device != nil {
				p.device.close()
			}
		}
		element = previous
	}
}

// close drops all that nobody uses, and the others when they are put back.
func (s *puppets) close() {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	s.evict()
}

// hold returns the puppet with its device protected until the returned function is called.
func (s *puppets) hold(ctx context.Context, user id.UserID) (*puppet, func(), error) {
	p := s.get(user)
	select {
	case p.busy <- struct{}{}:
		return p, func() {
			<-p.busy
			s.put(p)
		}, nil
	case <-ctx.Done():
		s.put(p)
		return nil, nil, ctx.Err()
	}
}

// borrow returns a contact's device, ready to send, which it makes if there is none. The caller calls release when done. A
// device of nil without an error means that there cannot be one at the moment. An error is one that trying again may heal.
func (s *puppets) borrow(ctx context.Context, user id.UserID) (device *device, release func(), err error) {
	p, unlock, err := s.hold(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	if s.isDoubted(p) {
		p.ready = false
	}
	if p.ready {
		s.lookRegularly(ctx, p)
	}
	if !p.ready {
		err = s.setUp(ctx, p)
	}
	if err != nil || !p.ready {
		unlock()
		return nil, nil, err
	}
	<-p.busy
	return p.device, func() { s.put(p) }, nil
}

// doubt is called with news of users' devices. Before a contact among them writes again, the homeserver is asked if it still has ours: someone
// may have deleted it there, and clients do not trust what comes from a device that they do not find. Most news is of what we did.
func (s *puppets) doubt(users []id.UserID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, user := range users {
		if element, ok := s.loaded[user]; ok {
			element.Value.(*puppet).doubted = true
		}
	}
}

// isDoubted tells it once.
func (s *puppets) isDoubted(p *puppet) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	doubted := p.doubted
	p.doubted = false
	return doubted
}

// lookRegularly asks the homeserver whether it still has a device that there was no news of, if that was not asked for lookInterval: see
// regularLooks. Without an answer it is believed to. p is held and ready.
func (s *puppets) lookRegularly(ctx context.Context, p *puppet) {
	if !s.crypto.connector.toDevicePushed.Load() || time.Since(p.asked) < lookInterval {
		return
	}
	p.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	known, err := p.device.askPublished(ctx)
	if err != nil {
		s.crypto.log.Warn().Err(err).Stringer("user_id", p.user).Msg("Failed to ask whether the homeserver still has a contact's device")
		return
	}
	p.ready = known.has(p.device)
}

// receive takes a to-device message for a contact: the key of a user's messages. What contacts' devices are asked for is not
// given, and not heard.
func (s *puppets) receive(ctx context.Context, evt *event.Event) {
	if evt.Type != event.ToDeviceEncrypted {
		return
	}
	p, unlock, err := s.hold(ctx, evt.ToUserID)
	if err != nil {
		return
	}
	defer unlock()
	if err = s.load(ctx, p); err != nil {
		s.crypto.log.Err(err).Stringer("user_id", evt.ToUserID).Msg("Failed to load a contact's device for a message to it")
		return
	}
	if p.device == nil || p.device.client.DeviceID != evt.ToDeviceID {
		return
	}
	p.device.receive(ctx, evt)
	p.device.refillOneTimeKeys(ctx)
}
