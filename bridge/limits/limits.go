// Package limits counts what each user does in a day, and refuses what is too much.
package limits

import (
	"context"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/interop"
)

// Kind is what is limited for each user and day. It is stored.
type Kind string

// Kinds of what users do.
const (
	// Chats: chats with contacts whom the user did not write to before.
	Chats Kind = "chats"
	// Pings: contacts who were asked to turn third-party chats on.
	Pings Kind = "pings"
	// Messages: messages, edits and reactions of the user.
	Messages Kind = "messages"
	// Files: messages with a file.
	Files Kind = "files"
	// Reports: reports to the admins.
	Reports Kind = "reports"
)

// portion is the part of a limit that is written to the database before it is used up. A message then costs one write in 50 of
// the default limit, and a kill costs the user at most a hundredth of a day's limit, and never forgets what was used.
const portion = 100

// Limits counts what users do in a day, which is one of UTC. A user's counts hold for all gatekeepers and outlive an enlistment: who
// leaves and enlists again begins nothing anew. Safe for concurrent use.
type Limits struct {
	perDay map[Kind]int64 // 0 is no limit
	usage  Store
	clock  interop.Clock
	// reached is called each time that a user comes to a limit.
	reached func(err *Error)

	lock     sync.Mutex
	day      int
	counters map[counterKey]*count // of this day
}

// Store is the part of the database that limits need. A day counts from 1970.
type Store interface {
	Used(ctx context.Context, userID, kind string, day int) (int64, error)
	SetUsed(ctx context.Context, userID, kind string, day int, used int64) error
	Forget(ctx context.Context, before int) error
}

type counterKey struct {
	user id.UserID
	kind Kind
}

// count is what a user took. noted is what the database says, never less than used.
type count struct {
	lock        sync.Mutex
	known       bool
	used, noted int64
}

// Error: a user has used up what they may do in a day. Nothing was counted.
type Error struct {
	User  id.UserID
	Kind  Kind
	Limit int64
	// Now is when it was refused, and Until when the day ends.
	Now, Until time.Time
}

// Error implements error. It is for the log; users read Sentence.
func (e *Error) Error() string {
	return fmt.Sprintf("the daily limit of %d %s is reached", e.Limit, e.Kind)
}

// New makes limits, 0 is none. reached is called each time that a user comes to a limit; it must return at once.
func New(perDay map[Kind]int64, usage Store, clock interop.Clock, reached func(*Error)) *Limits {
	return &Limits{perDay: perDay, usage: usage, clock: clock, reached: reached, counters: make(map[counterKey]*count)}
}

// Take counts n of a kind for the user's day. It must not be called within a transaction of the database, which it waits for. Errors:
// [*Error], and those of the database; then nothing is counted.
func (l *Limits) Take(ctx context.Context, user id.UserID, kind Kind, n int64) error {
	limit := l.perDay[kind]
	if limit <= 0 {
		return nil
	}
	now := l.clock.Now().UTC()
	day := dayOf(now)
	counter, begun := l.counter(counterKey{user, kind}, day)
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
		err := &Error{User: user, Kind: kind, Limit: limit, Now: now, Until: now.Truncate(24 * time.Hour).Add(24 * time.Hour)}
		l.reached(err)
		return err
	}
	if used > counter.noted {
		noted := min(used+limit/portion, limit)
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
func (l *Limits) counter(key counterKey, day int) (counter *count, begun bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.day != day {
		l.day, begun = day, true
		clear(l.counters)
	}
	if l.counters[key] == nil {
		l.counters[key] = &count{}
	}
	return l.counters[key], begun
}

// Sentence says which limit a user came to and when it is over. It completes nothing: what was not done is said by the caller.
func (e *Error) Sentence() string {
	what := map[Kind]string{
		Chats:    "You have begun %d chats with new people today, as many as one user of this bridge may.",
		Pings:    "You have asked %d people today to turn third-party chats on, as many as one user of this bridge may.",
		Messages: "You have sent %d messages today, as many as one user of this bridge may.",
		Files:    "You have sent %d files today, as many as one user of this bridge may.",
		Reports:  "You have sent %d reports today, as many as one user of this bridge may.",
	}[e.Kind]
	return fmt.Sprintf(what, e.Limit) + fmt.Sprintf(" It works again from %s on, which is in %s.", e.Until.UTC().Format("2006-01-02 15:04 UTC"), roughly(e.Until.Sub(e.Now)))
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
