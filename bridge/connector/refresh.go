package connector

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

const (
	// refreshesAtOnce is how many contacts' profiles are changed side by side.
	refreshesAtOnce = 4
	// refreshPause is the least time between two changes of one contact's profile: contacts choose how often they
	// change their name and picture, and each change is an event in every room that they are in.
	refreshPause = time.Minute
	// maxRefreshes bounds the contacts whose profile changed within refreshPause or is about to. News of more are
	// dropped: the profile stays as it is until there are news again.
	maxRefreshes = 1000
)

// profileNews is what is new about a contact. Several join into one.
type profileNews struct {
	client  *Client // who heard it
	contact networkid.UserID
	picture bool
	name    string // "" is no news
}

// refreshes changes contacts' profiles, beside the messages and no more often than refreshPause allows. A contact has a
// goroutine only for that time. Safe for concurrent use.
type refreshes struct {
	spawn func(work func(ctx context.Context))
	work  func(ctx context.Context, news profileNews)
	wait  func(ctx context.Context, duration time.Duration)
	slots chan struct{}

	lock     sync.Mutex
	contacts map[networkid.UserID]*profileNews // nil: nothing is new, but it is too soon for the next change
}

func newRefreshes(spawn func(func(ctx context.Context)), work func(context.Context, profileNews)) *refreshes {
	return &refreshes{
		spawn: spawn, work: work, wait: pause, slots: make(chan struct{}, refreshesAtOnce),
		contacts: make(map[networkid.UserID]*profileNews),
	}
}

// add returns at once; false means that there are too many.
func (r *refreshes) add(news profileNews) bool {
	r.lock.Lock()
	defer r.lock.Unlock()
	waiting, busy := r.contacts[news.contact]
	if !busy && len(r.contacts) >= maxRefreshes {
		return false
	}
	if waiting != nil {
		news.picture = news.picture || waiting.picture
		if news.name == "" {
			news.name = waiting.name
		}
	}
	r.contacts[news.contact] = &news
	if !busy {
		r.spawn(func(ctx context.Context) { r.run(ctx, news.contact) })
	}
	return true
}

// run ends when nothing was new for refreshPause.
func (r *refreshes) run(ctx context.Context, contact networkid.UserID) {
	for {
		r.lock.Lock()
		news := r.contacts[contact]
		if news == nil || ctx.Err() != nil {
			delete(r.contacts, contact)
			r.lock.Unlock()
			return
		}
		r.lock.Unlock()
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		r.lock.Lock()
		news = r.contacts[contact] // what came meanwhile is in it
		r.contacts[contact] = nil
		r.lock.Unlock()
		r.work(ctx, *news)
		<-r.slots
		r.wait(ctx, refreshPause)
	}
}

// refresh changes the profile of a contact.
func (n *Network) refresh(ctx context.Context, news profileNews) {
	log := news.client.login.Log
	news.client.refreshContact(log.WithContext(ctx), news)
}

// note schedules news and logs if there are too many.
func (c *Client) note(ctx context.Context, news profileNews) bool {
	news.client = c
	if c.network.refreshes.add(news) {
		return true
	}
	zerolog.Ctx(ctx).Warn().Msg("Too many contacts change their profiles at once, one stays as it is")
	return false
}
