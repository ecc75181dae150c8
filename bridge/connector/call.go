package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"postern/database"
	"postern/interop"
)

// callTimeout bounds one call, from the dial to the end of the mailbox.
const callTimeout = 45 * time.Second

// call connects a user whom nobody may need, to show the gatekeeper that they are still there and to see whether anything waits.
// A login that is not loaded stays so if nothing does: of thousands of users most are silent, and a loaded login takes about 20 KiB.
// It returns false if that did not work.
func (n *Network) call(ctx context.Context, standing database.Standing) bool {
	if client := n.loaded(standing); client != nil {
		client.need()
		return true
	}
	log := n.log.With().Str("login_id", standing.Login).Logger()
	enlistment, err := n.enlistments.Find(ctx, standing.Gatekeeper, standing.UserID)
	if errors.Is(err, database.ErrNoEnlistment) || (err == nil && (enlistment.Account != standing.Account || enlistment.State != database.Enlisted)) {
		return true
	} else if err != nil {
		log.Err(err).Msg("Failed to load an enlistment to call its user")
		return false
	}
	callCtx, cancel := context.WithTimeout(log.WithContext(ctx), callTimeout)
	defer cancel()
	end, ok := n.calls.begin(standing.Account, cancel)
	if !ok {
		return true
	}
	caller := &caller{network: n, standing: standing, news: make(chan callNews, 1)}
	news := quiet
	if n.loaded(standing) == nil && !n.isSuspended(standing) { // looked at again, since whoever changes it after this waits for us
		news = caller.call(callCtx, n.clientOptions(enlistment, n.gatekeeper(standing.Gatekeeper).Gatekeeper, caller))
	}
	end()
	log.Debug().Bool("needed", news == needed).Bool("failed", news == failed).Msg("Called a user")
	if n.loaded(standing) != nil || news == needed {
		n.rouse(ctx, standing)
		return true
	}
	return news == quiet
}

// callNews is what comes of a call.
type callNews int

const (
	quiet  callNews = iota // nothing waits
	needed                 // something does, or the enlistment has ended, which its login has to deal with
	failed
)

// caller is the handler of an interop client that only wants to know whether anything waits. It takes nothing: what is not
// acknowledged comes again when the login connects.
type caller struct {
	network  *Network
	standing database.Standing
	news     chan callNews
}

var errOnlyCalled = errors.New("nobody is here to take it yet")

// call returns when it knows, and nothing of it runs any more.
func (c *caller) call(ctx context.Context, options interop.Options) callNews {
	client := interop.NewClient(options)
	client.Start()
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), DisconnectTimeout)
		defer cancel()
		_ = client.Stop(stopCtx)
	}()
	for {
		select {
		case news := <-c.news:
			return news
		case <-ctx.Done():
			return failed
		case <-time.After(callPoll):
		}
		// Idle includes that the mailbox was empty and that contacts have prekeys to begin with.
		if idle, err := client.IsIdle(ctx); err != nil {
			return failed
		} else if idle {
			if more, err := client.Rest(ctx); err != nil || more {
				return needed
			}
			return quiet
		}
	}
}

// callPoll is the pause between two looks whether there is nothing to do.
const callPoll = 20 * time.Millisecond

// HandleEvent implements interop.Handler.
func (c *caller) HandleEvent(ctx context.Context, event interop.Event) error {
	switch event := event.(type) {
	case *interop.Connected:
		if entry := c.network.gatekeeper(c.standing.Gatekeeper); entry != nil {
			c.network.connectionMade(entry.Gatekeeper)
		}
		return c.network.noteConnected(ctx, c.standing.Account)
	case *interop.OfflineDelivered, *interop.ChatState:
		return nil
	case *interop.Disconnected:
		if entry := c.network.gatekeeper(c.standing.Gatekeeper); entry != nil {
			c.network.connectionFailed(entry.Gatekeeper, event.Err)
		}
		c.tell(failed)
		return nil
	case *interop.ContactChanged:
		c.network.Spawn(func(ctx context.Context) { c.passOn(ctx, event) }) // it does not come again
		return nil
	case *interop.Ended:
		c.tell(needed)
		return nil
	default:
		c.tell(needed)
		return errOnlyCalled
	}
}

// passOn loads the login, which ends the call, and gives it an event.
func (c *caller) passOn(ctx context.Context, event interop.Event) {
	c.network.rouse(ctx, c.standing)
	if client := c.network.loaded(c.standing); client != nil {
		_ = client.HandleEvent(ctx, event)
	}
}

func (c *caller) tell(news callNews) {
	select {
	case c.news <- news:
	default: // the first counts
	}
}

// calls are the calls that are under way. A login that is connected has to wait for that of its account: only one client may
// use an account.
type calls struct {
	lock    sync.Mutex
	running map[database.AccountID]*runningCall
}

type runningCall struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// begin registers a call. It returns false if there is one already. The caller must call end.
func (c *calls) begin(account database.AccountID, cancel context.CancelFunc) (end func(), ok bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.running[account] != nil {
		return nil, false
	}
	if c.running == nil {
		c.running = make(map[database.AccountID]*runningCall)
	}
	call := &runningCall{cancel: cancel, done: make(chan struct{})}
	c.running[account] = call
	return func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		delete(c.running, account)
		close(call.done)
	}, true
}

// end ends the account's call, if there is one, and returns when nothing of it runs any more.
func (c *calls) end(account database.AccountID) {
	c.lock.Lock()
	call := c.running[account]
	c.lock.Unlock()
	if call != nil {
		call.cancel()
		<-call.done
	}
}
