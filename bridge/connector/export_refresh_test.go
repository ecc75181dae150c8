package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
)

const MaxRefreshes = maxRefreshes

// Refreshes is what changes profiles, with work that only tells and a pause that lasts as long as the test says.
type Refreshes struct {
	refreshes *refreshes
	done      sync.WaitGroup
	Worked    chan string
	Pausing   chan struct{}
	Resume    chan struct{}
}

func NewRefreshes(ctx context.Context) *Refreshes {
	r := &Refreshes{Worked: make(chan string), Pausing: make(chan struct{}), Resume: make(chan struct{})}
	send := func(ctx context.Context, news profileNews) {
		select {
		case r.Worked <- fmt.Sprintf("%s %v %s", news.contact, news.picture, news.name):
		case <-ctx.Done():
		}
	}
	r.refreshes = newRefreshes(func(work func(context.Context)) { r.done.Go(func() { work(ctx) }) }, send)
	r.refreshes.wait = func(ctx context.Context, _ time.Duration) {
		select {
		case r.Pausing <- struct{}{}:
		case <-ctx.Done():
			return
		}
		select {
		case <-r.Resume:
		case <-ctx.Done():
		}
	}
	return r
}

func (r *Refreshes) Add(contact string, picture bool, name string) bool {
	return r.refreshes.add(profileNews{contact: networkid.UserID(contact), picture: picture, name: name})
}

func (r *Refreshes) Wait() { r.done.Wait() }

func (r *Refreshes) Contacts() int {
	r.refreshes.lock.Lock()
	defer r.refreshes.lock.Unlock()
	return len(r.refreshes.contacts)
}
