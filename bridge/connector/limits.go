package connector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/interop"
)

// LimitKind is what is limited for each user and day. It is stored.
type LimitKind string

const (
	// LimitChats: chats with contacts whom the user did not write to before.
	LimitChats LimitKind = "chats"
	// LimitPings: contacts who were asked to turn third-party chats on.
	LimitPings LimitKind = "pings"
	// LimitMessages: messages, edits and reactions of the user.
	LimitMessages LimitKind = "messages"
	// LimitFiles: messages with a file.
	LimitFiles LimitKind = "files"
	// LimitReports: reports to the admins.
	LimitReports LimitKind = "reports"
)

// limitPortion is the part of a limit that is written to the database before it is used up. A message then costs one write in 50 of
// the default limit, and a kill costs the user at most a hundredth of a day's limit, and never forgets what was used.
const limitPortion = 100

// limits counts what users do in a day, which is one of UTC. A user's counts hold for all gatekeepers and outlive an enlistment: who
// leaves and enlists again begins nothing anew. Safe for concurrent use.
type limits struct {
	perDay map[LimitKind]int64 // 0 is no limit
	usage  usageStore
	clock  interop.Clock
	// reached is called each time that a user comes to a limit.
	reached func(err *limitError)

	lock     sync.Mutex
	day      int
	counters map[limitKey]*limitCounter // of this day
}

// usageStore is the part of the database that limits need.
type usageStore interface {
	Used(ctx context.Context, userID, kind string, day int) (int64, error)
	SetUsed(ctx context.Context, userID, kind string, day int, used int64) error
	Forget(ctx context.Context, before int) error
}

type limitKey struct {
	user id.UserID
	kind LimitKind
}

// limitCounter is what a user took. noted is what the database says, never less than used.
type limitCounter struct {
	lock        sync.Mutex
	known       bool
	used, noted int64
}

// limitError: a user has used up what they may do in a day. Nothing was counted.
type limitError struct {
	user  id.UserID
	kind  LimitKind
	limit int64
	now   time.Time
	until time.Time
}

func (e *limitError) Error() string {
	return fmt.Sprintf("the daily limit of %d %s is reached", e.limit, e.kind)
}

func newLimits(perDay map[LimitKind]int64, usage usageStore, clock interop.Clock, reached func(*limitError)) *limits {
	return &limits{perDay: perDay, usage: usage, clock: clock, reached: reached, counters: make(map[limitKey]*limitCounter)}
}

// take counts n of a kind for the user's day. It must not be called within a transaction of the database, which it waits for. Errors:
// [*limitError], and those of the database; then nothing is counted.
func (l *limits) take(ctx context.Context, user id.UserID, kind LimitKind, n int64) error {
	limit := l.perDay[kind]
	if limit <= 0 {
		return nil
	}
	now := l.clock.Now().UTC()
	day := dayOf(now)
	counter, begun := l.counter(limitKey{user, kind}, day)
	if begun {
		if err := l.usage.Forget(ctx, day); err != nil {
			return err
		}
	}
	counter.lock.Lock()
	defer counter.lock.Unlock()
	if !counter.known {
		noted, err := l.usage.Used(ctx, user.String(), string(kind), day)
		if err != nil {
			return err
		}
		counter.known, counter.used, counter.noted = true, noted, noted
	}
	used := counter.used + n
	if used > limit {
		err := &limitError{user: user, kind: kind, limit: limit, now: now, until: now.Truncate(24 * time.Hour).Add(24 * time.Hour)}
		l.reached(err)
		return err
	}
	if used > counter.noted {
		noted := min(used+limit/limitPortion, limit)
		if err := l.usage.SetUsed(ctx, user.String(), string(kind), day, noted); err != nil {
			return err
		}
		counter.noted = noted
	}
	counter.used = used
	return nil
}

// dayOf counts days from 1970, as the clock of UTC has them.
func dayOf(at time.Time) int { return int(at.Unix() / (24 * 60 * 60)) }

// counter returns the one of a day. begun is true for the first of a day, when those of the day before go.
func (l *limits) counter(key limitKey, day int) (counter *limitCounter, begun bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.day != day {
		l.day, begun = day, true
		clear(l.counters)
	}
	if l.counters[key] == nil {
		l.counters[key] = &limitCounter{}
	}
	return l.counters[key], begun
}

// textLimit says which limit a user came to and when it is over. It completes nothing: what was not done is said by the caller.
func textLimit(err *limitError) string {
	what := map[LimitKind]string{
		LimitChats:    "You have begun %d chats with new people today, as many as one user of this bridge may.",
		LimitPings:    "You have asked %d people today to turn third-party chats on, as many as one user of this bridge may.",
		LimitMessages: "You have sent %d messages today, as many as one user of this bridge may.",
		LimitFiles:    "You have sent %d files today, as many as one user of this bridge may.",
		LimitReports:  "You have sent %d reports today, as many as one user of this bridge may.",
	}[err.kind]
	return fmt.Sprintf(what, err.limit) + fmt.Sprintf(" It works again from %s on, which is in %s.", utc(err.until), roughly(err.until.Sub(err.now)))
}

// roughly writes a time of at most a day.
func roughly(duration time.Duration) string {
	if hours := int(duration.Round(time.Hour).Hours()); hours > 1 {
		return fmt.Sprintf("%d hours", hours)
	}
	if minutes := int(duration.Minutes()); minutes > 1 {
		return fmt.Sprintf("%d minutes", minutes)
	}
	return "a minute"
}
