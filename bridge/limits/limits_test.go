package limits_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/id"

	"postern/bridge/limits"
	"postern/database"
	"postern/interop"
	"postern/interop/clocktest"
)

const (
	alice = id.UserID("@alice:example.org")
	bob   = id.UserID("@bob:example.org")
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

func newLimits(perDay map[limits.Kind]int64, usage limits.Store, clock interop.Clock) *limits.Limits {
	return limits.New(perDay, usage, clock, func(*limits.Error) {})
}

// takeUntilRefused returns how often the user was allowed, and what they read then.
func takeUntilRefused(t *testing.T, counted *limits.Limits, user id.UserID, kind limits.Kind, tries int) (allowed int, answer string) {
	t.Helper()
	for range tries {
		var limited *limits.Error
		if err := counted.Take(context.Background(), user, kind, 1); errors.As(err, &limited) {
			return allowed, limited.Sentence()
		} else if err != nil {
			t.Fatal(err)
		}
		allowed++
	}
	return allowed, ""
}

func TestALimitEndsWithTheDay(t *testing.T) {
	clock, table := clocktest.New(), newUsageTable()
	counted := newLimits(map[limits.Kind]int64{"messages": 250, "pings": 3}, table, clock)
	allowed, answer := takeUntilRefused(t, counted, alice, "messages", 1000)
	if allowed != 250 || !strings.Contains(answer, "250 messages") || !strings.Contains(answer, "00:00 UTC") {
		t.Errorf("%d messages, then: %s", allowed, answer)
	}
	if allowed, answer = takeUntilRefused(t, counted, alice, "pings", 10); allowed != 3 || !strings.Contains(answer, "3 people") {
		t.Errorf("%d pings, then: %s", allowed, answer)
	}
	if allowed, _ = takeUntilRefused(t, counted, bob, "messages", 1000); allowed != 250 {
		t.Errorf("another user sent %d messages", allowed)
	}
	if allowed, _ = takeUntilRefused(t, counted, alice, "chats", 1000); allowed != 1000 {
		t.Errorf("where there is no limit, it is %d", allowed)
	}
	now := clock.Now().UTC()
	clock.Advance(now.Truncate(24*time.Hour).Add(24*time.Hour).Sub(now) - time.Second)
	if _, answer = takeUntilRefused(t, counted, alice, "messages", 1); !strings.Contains(answer, "in a minute") {
		t.Errorf("a second before midnight: %s", answer)
	}
	clock.Advance(time.Second)
	if allowed, _ = takeUntilRefused(t, counted, alice, "messages", 1000); allowed != 250 {
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
		counted := newLimits(map[limits.Kind]int64{"messages": 1000}, table, clock) // nothing is told to the one before
		more, _ := takeUntilRefused(t, counted, alice, "messages", 55)
		allowed += more
	}
	rest, _ := takeUntilRefused(t, newLimits(map[limits.Kind]int64{"messages": 1000}, table, clock), alice, "messages", 10000)
	if allowed += rest; allowed > 1000 || allowed < 900 {
		t.Errorf("%d messages with ten kills", allowed)
	}
	if table.writes > 120 {
		t.Errorf("%d writes for 1000 messages", table.writes)
	}
}

func TestALowerLimitHoldsAtOnce(t *testing.T) {
	clock, table := clocktest.New(), newUsageTable()
	takeUntilRefused(t, newLimits(map[limits.Kind]int64{"files": 50}, table, clock), alice, "files", 20)
	if allowed, _ := takeUntilRefused(t, newLimits(map[limits.Kind]int64{"files": 10}, table, clock), alice, "files", 1); allowed != 0 {
		t.Error("allowed")
	}
	if allowed, _ := takeUntilRefused(t, newLimits(map[limits.Kind]int64{"files": 30}, table, clock), alice, "files", 100); allowed != 10 {
		t.Errorf("%d more allowed", allowed)
	}
}

func TestManyTakeOfOneLimitAtOnce(t *testing.T) {
	counted := newLimits(map[limits.Kind]int64{"messages": 500}, newUsageTable(), clocktest.New())
	var allowed atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				var limited *limits.Error
				if err := counted.Take(context.Background(), alice, limits.Messages, 1); err == nil {
					allowed.Add(1)
				} else if !errors.As(err, &limited) {
					t.Error(err)
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
	counted := newLimits(map[limits.Kind]int64{"messages": perDay}, usageOf(b), clocktest.New())
	sent := 0
	for b.Loop() {
		user := id.UserID(fmt.Sprintf("@user%d:example.org", sent/perDay))
		if err := counted.Take(context.Background(), user, limits.Messages, 1); err != nil {
			b.Fatal(err)
		}
		sent++
	}
}

// usageOf is the table of a database in a file.
func usageOf(b *testing.B) limits.Store {
	ctx := context.Background()
	raw, err := database.Open(ctx, "sqlite", filepath.Join(b.TempDir(), "postern.db"), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	db := database.New(raw, database.NewSecretKey(), zerolog.Nop())
	if err = db.Upgrade(ctx); err != nil {
		b.Fatal(err)
	}
	return db.Usage()
}
