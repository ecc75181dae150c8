package connector_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/connector"
	"postern/interop/clocktest"
)

// usageTable is what a database keeps of daily limits, with a count of its writes.
type usageTable struct {
	lock   sync.Mutex
	rows   map[usageKey]int64
	writes int
}

type usageKey struct {
	user, kind string
	day        int
}

func newUsageTable() *usageTable { return &usageTable{rows: make(map[usageKey]int64)} }

func (u *usageTable) Used(_ context.Context, user, kind string, day int) (int64, error) {
	u.lock.Lock()
	defer u.lock.Unlock()
	return u.rows[usageKey{user, kind, day}], nil
}

func (u *usageTable) SetUsed(_ context.Context, user, kind string, day int, used int64) error {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.rows[usageKey{user, kind, day}] = used
	u.writes++
	return nil
}

func (u *usageTable) Forget(_ context.Context, before int) error {
	u.lock.Lock()
	defer u.lock.Unlock()
	for key := range u.rows {
		if key.day < before {
			delete(u.rows, key)
		}
	}
	return nil
}

// takeUntilRefused returns how often the user was allowed, and what they read then.
func takeUntilRefused(t *testing.T, limits connector.Limits, user id.UserID, kind string, tries int) (allowed int, answer string) {
	t.Helper()
	for range tries {
		var err error
		if answer, err = limits.Take(context.Background(), user, kind, 1); err != nil {
			t.Fatal(err)
		} else if answer != "" {
			return allowed, answer
		}
		allowed++
	}
	return allowed, ""
}

func TestALimitEndsWithTheDay(t *testing.T) {
	clock, table := clocktest.New(), newUsageTable()
	limits := connector.NewLimits(map[string]int64{"messages": 250, "pings": 3}, table, clock)
	allowed, answer := takeUntilRefused(t, limits, alice, "messages", 1000)
	if allowed != 250 || !strings.Contains(answer, "250 messages") || !strings.Contains(answer, "00:00 UTC") {
		t.Errorf("%d messages, then: %s", allowed, answer)
	}
	if allowed, answer = takeUntilRefused(t, limits, alice, "pings", 10); allowed != 3 || !strings.Contains(answer, "3 people") {
		t.Errorf("%d pings, then: %s", allowed, answer)
	}
	if allowed, _ = takeUntilRefused(t, limits, bob, "messages", 1000); allowed != 250 {
		t.Errorf("another user sent %d messages", allowed)
	}
	if allowed, _ = takeUntilRefused(t, limits, alice, "chats", 1000); allowed != 1000 {
		t.Errorf("where there is no limit, it is %d", allowed)
	}
	now := clock.Now().UTC()
	clock.Advance(now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now) - time.Second)
	if _, answer = takeUntilRefused(t, limits, alice, "messages", 1); !strings.Contains(answer, "in a minute") {
		t.Errorf("a second before midnight: %s", answer)
	}
	clock.Advance(time.Second)
	if allowed, _ = takeUntilRefused(t, limits, alice, "messages", 1000); allowed != 250 {
		t.Errorf("%d messages on the next day", allowed)
	}
	if len(table.rows) != 1 {
		t.Errorf("days that are over are kept: %v", table.rows)
	}
}

// TestAKillForgetsNothingOfALimit and costs the user little.
func TestAKillForgetsNothingOfALimit(t *testing.T) {
	clock, table := clocktest.New(), newUsageTable()
	allowed := 0
	for range 10 {
		limits := connector.NewLimits(map[string]int64{"messages": 1000}, table, clock) // nothing is told to the one before
		more, _ := takeUntilRefused(t, limits, alice, "messages", 55)
		allowed += more
	}
	rest, _ := takeUntilRefused(t, connector.NewLimits(map[string]int64{"messages": 1000}, table, clock), alice, "messages", 10000)
	if allowed += rest; allowed > 1000 || allowed < 900 {
		t.Errorf("%d messages with ten kills", allowed)
	}
	if table.writes > 120 {
		t.Errorf("%d writes for 1000 messages", table.writes)
	}
}

func TestALowerLimitHoldsAtOnce(t *testing.T) {
	clock, table := clocktest.New(), newUsageTable()
	takeUntilRefused(t, connector.NewLimits(map[string]int64{"files": 50}, table, clock), alice, "files", 20)
	if allowed, _ := takeUntilRefused(t, connector.NewLimits(map[string]int64{"files": 10}, table, clock), alice, "files", 1); allowed != 0 {
		t.Error("allowed")
	}
	if allowed, _ := takeUntilRefused(t, connector.NewLimits(map[string]int64{"files": 30}, table, clock), alice, "files", 100); allowed != 10 {
		t.Errorf("%d more allowed", allowed)
	}
}

func TestManyTakeOfOneLimitAtOnce(t *testing.T) {
	limits := connector.NewLimits(map[string]int64{"messages": 500}, newUsageTable(), clocktest.New())
	var allowed atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				if answer, err := limits.Take(context.Background(), alice, "messages", 1); err != nil {
					t.Error(err)
				} else if answer == "" {
					allowed.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if allowed.Load() != 500 {
		t.Errorf("%d allowed of 500", allowed.Load())
	}
}

// BenchmarkLimit is what counting a message costs, with the default limit and SQLite: each user sends what they may.
func BenchmarkLimit(b *testing.B) {
	const perDay = 5000
	limits := connector.NewLimits(map[string]int64{"messages": perDay}, newDatabase(b).Usage(), clocktest.New())
	sent := 0
	for b.Loop() {
		user := id.UserID(fmt.Sprintf("@user%d:example.org", sent/perDay))
		if answer, err := limits.Take(context.Background(), user, "messages", 1); err != nil || answer != "" {
			b.Fatal(answer, err)
		}
		sent++
	}
}
