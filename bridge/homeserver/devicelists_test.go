package homeserver_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// looked are the looks that were taken, and when.
type looked struct {
	began time.Time
	lock  sync.Mutex
	users [][]id.UserID
	after []time.Duration
}

func (l *looked) take(users []id.UserID) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.users, l.after = append(l.users, users), append(l.after, time.Since(l.began))
}

// TestDevicesAreLookedAtAgainSoon: once for all news until then, and again for news that comes later.
func TestDevicesAreLookedAtAgainSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks homeserver.SecondLooks
		taken := &looked{began: time.Now()}
		looks.Plan(t.Context(), taken.take, "@alice", "@bob")
		time.Sleep(homeserver.SecondLook / 3)
		looks.Plan(t.Context(), taken.take, "@alice")
		looks.Plan(t.Context(), taken.take, "@alice", "@carol")
		time.Sleep(homeserver.SecondLook * 2)
		looks.Plan(t.Context(), taken.take, "@alice")
		time.Sleep(homeserver.SecondLook * 2)
		synctest.Wait()
		want := [][]id.UserID{{"@alice", "@bob"}, {"@carol"}, {"@alice"}}
		if !slices.EqualFunc(taken.users, want, slices.Equal) {
			t.Errorf("looked at %v, want %v", taken.users, want)
		}
		third := homeserver.SecondLook / 3
		if times := []time.Duration{3 * third, 4 * third, 10 * third}; !slices.Equal(taken.after, times) {
			t.Errorf("looked after %v, want %v", taken.after, times)
		}
	})
}

// TestNewsDuringALookIsLookedAtAgain: the answer may have been made before it.
func TestNewsDuringALookIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks homeserver.SecondLooks
		taken := &looked{began: time.Now()}
		looks.Plan(t.Context(), func(users []id.UserID) {
			taken.take(users)
			looks.Plan(t.Context(), taken.take, "@alice")
		}, "@alice")
		time.Sleep(homeserver.SecondLook * 3)
		synctest.Wait()
		if len(taken.users) != 2 {
			t.Errorf("looked %d times", len(taken.users))
		}
	})
}

func TestNobodyIsLookedAtAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks homeserver.SecondLooks
		taken := &looked{began: time.Now()}
		ctx, cancel := context.WithCancel(t.Context())
		looks.Plan(ctx, taken.take, "@alice")
		cancel()
		synctest.Wait() // whoever waits for it is free at once
		time.Sleep(homeserver.SecondLook * 2)
		if len(taken.users) != 0 {
			t.Errorf("looked at %v", taken.users)
		}
	})
}
