package connector

import (
	"context"
	"sync"
	"time"

	"postern/database"
)

const (
	// dueAfter is how long a user may be away from an on-demand gatekeeper, which forgets who did not connect for 30 days. What
	// is left until then is for bridges that are off, gatekeepers that are away, and people who have to notice.
	dueAfter = 20 * 24 * time.Hour
	// dueSpread is how much earlier some users are due than others, so that those who enlisted or were started together do not
	// come together for ever.
	dueSpread = 4 * 24 * time.Hour
	// dueEvery is how often it is looked for those who are due.
	dueEvery = time.Hour
	// callAgain is the pause before those are tried again who could not be connected.
	callAgain = 2 * time.Minute
	// callsAtOnce is how many users that nobody asked for are connected at the same time. It leaves room for those who are needed.
	callsAtOnce = 8
)

// isDue tells whether an account has to be connected for the gatekeeper's sake. One that never was is due: contacts need its
// keys to write to it.
func (n *Network) isDue(account database.AccountID, connected time.Time) bool {
	return n.Clock.Now().Sub(connected) >= dueAfter-spreadOf(account)
}

// spreadOf is always the same for an account, which are random numbers.
func spreadOf(account database.AccountID) time.Duration {
	return time.Duration(account%1000) * (dueSpread / 1000)
}

// keepAlive connects, once after the start, every user of an on-demand gatekeeper: a push may have come while nobody was here to
// take it. From then on it connects who is due. Nobody has to be loaded for that; see call. Who could not be connected is tried
// again.
func (n *Network) keepAlive(ctx context.Context) {
	choose := func(database.Standing) bool { return true }
	for {
		wait := callAgain
		if owed, err := n.callAll(ctx, choose); err != nil {
			n.log.Err(err).Msg("Failed to look for users who have to be connected")
		} else {
			choose = func(standing database.Standing) bool {
				return owed[standing.Account] || n.isDue(standing.Account, standing.Connected)
			}
			if len(owed) == 0 {
				wait = dueEvery
			}
		}
		passed := make(chan struct{})
		timer := n.Clock.AfterFunc(wait, func() { close(passed) })
		select {
		case <-passed:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// callAll calls the users of on-demand gatekeepers that are chosen, a few at a time, who were away longest first. It returns those
// with whom that did not work.
func (n *Network) callAll(ctx context.Context, choose func(database.Standing) bool) (map[database.AccountID]bool, error) {
	standings, err := n.enlistments.Standings(ctx)
	if err != nil {
		return nil, err
	}
	owed := make(map[database.AccountID]bool)
	var lock sync.Mutex
	var calls sync.WaitGroup
	room := make(chan struct{}, callsAtOnce)
	for _, standing := range standings {
		if ctx.Err() != nil || standing.State != database.Enlisted || !n.isOnDemand(standing.Gatekeeper) || !choose(standing) || n.isSuspended(standing) {
			continue
		}
		room <- struct{}{}
		calls.Go(func() {
			defer func() { <-room }()
			if !n.call(ctx, standing) {
				lock.Lock()
				defer lock.Unlock()
				owed[standing.Account] = true
			}
		})
	}
	calls.Wait()
	if len(owed) > 0 {
		n.log.Warn().Int("users", len(owed)).Dur("retry_in", callAgain).Msg("Some users could not be connected")
	}
	return owed, nil
}

func (n *Network) isOnDemand(gatekeeper string) bool {
	entry := n.gatekeeper(gatekeeper)
	return entry != nil && entry.Idle > 0
}
