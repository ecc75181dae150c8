// Package adminroom tells the admins what they should know, in a room of theirs or each in their own, and keeps it readable: few messages
// for much news.
package adminroom

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/database"
	"postern/interop"
)

const (
	// newsWindow is how long news of one group join into one message, counted from its first.
	newsWindow = 6 * time.Hour
	// newsPause is the least time between two changes of one message.
	newsPause = time.Minute
	// maxNewsGroups bounds the groups that are remembered. If there are more, the oldest that was told makes place; if none was, the
	// new one is only counted.
	maxNewsGroups = 100
	// newsTimeout bounds one message. A stop of the bridge waits for it.
	newsTimeout = 4 * time.Second
	// newsRetry is the pause after the homeserver did not take something.
	newsRetry = time.Minute
	// storedName is where the groups are kept.
	storedName = "admin.news"
	// timeFormat is how admins read times, in UTC.
	timeFormat = "2006-01-02 15:04 UTC"
)

// News is something that admins should know. It holds ids and numbers, no content and no phone numbers.
type News struct {
	// Group is what it is about, such as "token.whatsapp". News of one group are one message for a while, which says the newest text
	// and how often.
	Group string
	// Text is one or more sentences: what happened and what to do.
	Text string
	// Once: the same text is not told again, however long ago it was told.
	Once bool
}

// Room tells the admins what they should know, few messages for much news. While the homeserver is away, news are counted and
// nothing grows. What was told is remembered over restarts; what was not is lost if the bridge is killed, but stands in the log.
// Safe for concurrent use.
type Room struct {
	post  Poster
	kv    *database.KV
	clock interop.Clock
	wake  chan struct{}

	loaded atomic.Bool

	lock   sync.Mutex
	groups map[string]*newsGroup
	missed int       // news for which there was no place
	retry  time.Time // nothing is sent before, after the homeserver did not take something
}

// Poster is the part of [Post] that news need.
type Poster interface {
	// Send returns the event, "" if each admin was told alone.
	Send(ctx context.Context, content *event.MessageEventContent) (id.EventID, error)
	// Edit replaces what Send returned.
	Edit(ctx context.Context, replaced id.EventID, content *event.MessageEventContent) error
}

// newsGroup is one message.
type newsGroup struct {
	Text  string     `json:"text"`
	Once  bool       `json:"once,omitempty"`
	Count int        `json:"count"`
	Told  int        `json:"told"` // the count that the message shows, 0 if there is none
	First time.Time  `json:"first"`
	Last  time.Time  `json:"last"`
	Sent  time.Time  `json:"sent"` // when the message was last sent or changed
	Event id.EventID `json:"event,omitempty"`
}

// New makes a room, in which nothing is told before Run.
func New(post Poster, kv *database.KV, clock interop.Clock) *Room {
	return &Room{post: post, kv: kv, clock: clock, wake: make(chan struct{}, 1), groups: make(map[string]*newsGroup)}
}

// Hear takes news and returns at once.
func (r *Room) Hear(news News) {
	r.lock.Lock()
	defer r.lock.Unlock()
	now := r.clock.Now()
	group := r.groups[news.Group]
	switch {
	case group != nil && news.Once && group.Text == news.Text:
		return
	case group != nil && group.Told == 0, group != nil && !news.Once && now.Sub(group.First) < newsWindow:
		group.Count++
		group.Text, group.Last = news.Text, now
	case group != nil || r.makePlace(now):
		r.groups[news.Group] = &newsGroup{Text: news.Text, Once: news.Once, Count: 1, First: now, Last: now}
	default:
		r.missed++
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// makePlace forgets what was told, the oldest first, and what is told only once last. It returns false if nothing was.
func (r *Room) makePlace(now time.Time) bool {
	if len(r.groups) < maxNewsGroups {
		return true
	}
	oldest := ""
	for _, name := range slices.Sorted(maps.Keys(r.groups)) {
		group := r.groups[name]
		if group.Told != group.Count {
			continue
		}
		if before := r.groups[oldest]; before == nil || (before.Once && !group.Once) || (before.Once == group.Once && group.Last.Before(before.Last)) {
			oldest = name
		}
	}
	delete(r.groups, oldest)
	return oldest != ""
}

// Run tells the admins until ctx ends.
func (r *Room) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := r.TellDue(ctx)
		if pause == 0 {
			break
		}
		passed := make(chan struct{})
		timer := r.clock.AfterFunc(pause, func() { close(passed) })
		select {
		case <-r.wake:
		case <-passed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	r.save(context.WithoutCancel(ctx))
}

// TellDue tells the admins what is due. It returns how long to wait for the next, unless there are news before; 0 if ctx has ended.
func (r *Room) TellDue(ctx context.Context) time.Duration {
	r.load(ctx)
	for ctx.Err() == nil {
		if pause := r.tellNext(ctx); pause != 0 {
			return pause
		}
	}
	return 0
}

// tellNext sends or changes one message. It returns how long to wait for the next, unless there are news before.
func (r *Room) tellNext(ctx context.Context) time.Duration {
	name, group, missed, wait := r.next()
	if name == "" {
		return wait
	}
	// What is on its way comes to its end and is noted also while the bridge stops, or the next start would tell it again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), newsTimeout)
	defer cancel()
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: textNews(&group, missed), Mentions: &event.Mentions{}}
	var err error
	if group.Event != "" {
		err = r.post.Edit(ctx, group.Event, content)
	} else if group.Told == 0 { // else each admin was told alone, which cannot be changed
		group.Event, err = r.post.Send(ctx, content)
	}
	if err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Str("group", name).Msg("Failed to tell the admins something, trying again later")
		r.failed()
		return newsRetry
	}
	r.told(name, &group, missed)
	r.save(ctx)
	return 0
}

// next chooses what has to be told: first what was not told at all, the oldest first.
func (r *Room) next() (name string, copied newsGroup, missed int, wait time.Duration) {
	r.lock.Lock()
	defer r.lock.Unlock()
	now := r.clock.Now()
	if now.Before(r.retry) {
		return "", copied, 0, r.retry.Sub(now)
	}
	wait = newsWindow
	for _, candidate := range slices.Sorted(maps.Keys(r.groups)) {
		group := r.groups[candidate]
		if group.Told == group.Count {
			continue
		}
		if due := group.Sent.Add(newsPause); now.Before(due) {
			wait = min(wait, due.Sub(now))
		} else if name == "" || group.First.Before(copied.First) {
			name, copied = candidate, *group
		}
	}
	return name, copied, r.missed, wait
}

func (r *Room) failed() {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.retry = r.clock.Now().Add(newsRetry)
}

func (r *Room) told(name string, sent *newsGroup, missed int) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.missed -= missed
	if group := r.groups[name]; group != nil && group.First.Equal(sent.First) {
		group.Event, group.Told, group.Sent = sent.Event, sent.Count, r.clock.Now()
	}
}

// load joins what an earlier run told with what was heard since the start. The second time it does nothing.
func (r *Room) load(ctx context.Context) {
	if r.loaded.Swap(true) {
		return
	}
	stored, err := r.kv.Get(ctx, storedName)
	var groups map[string]*newsGroup
	if err == nil && stored != nil {
		err = json.Unmarshal(stored, &groups)
	}
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to load what the admins were told, they may be told again")
		return
	}
	r.lock.Lock()
	heard := r.groups
	r.groups = groups
	if r.groups == nil {
		r.groups = make(map[string]*newsGroup)
	}
	maps.DeleteFunc(r.groups, func(_ string, group *newsGroup) bool { return group == nil })
	r.lock.Unlock()
	for _, name := range slices.Sorted(maps.Keys(heard)) {
		for range heard[name].Count {
			r.Hear(News{Group: name, Text: heard[name].Text, Once: heard[name].Once})
		}
	}
}

func (r *Room) save(ctx context.Context) {
	r.lock.Lock()
	content, err := json.Marshal(r.groups)
	r.lock.Unlock()
	if err == nil {
		err = r.kv.Set(ctx, storedName, content)
	}
	if err != nil {
		zerolog.Ctx(ctx).Err(err).Msg("Failed to note what the admins were told")
	}
}

// textNews is the message of a group.
func textNews(group *newsGroup, missed int) string {
	text := group.Text
	if group.Count > 1 {
		text += fmt.Sprintf("\n\n%d times since %s, last at %s.", group.Count, group.First.UTC().Format(timeFormat), group.Last.UTC().Format(timeFormat))
	}
	if missed > 0 {
		text += fmt.Sprintf("\n\nMuch more happened at the same time, %d times; please look into the bridge's log.", missed)
	}
	return text
}
