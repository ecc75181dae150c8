package homeserver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"
)

// lateEventsKey is where the list is kept.
const lateEventsKey = "matrix.late_events"

// lateEntry is what is stored of a message that waits for its key.
type lateEntry struct {
	Room  id.RoomID  `json:"room"`
	Event id.EventID `json:"event"`
	Since time.Time  `json:"since"`
}

// lateList is the list in the database. It is one value, since it is short: what is stored of a message are 150 bytes.
// Changes that come together are written together.
type lateList struct {
	kv KV

	lock    sync.Mutex
	entries map[id.EventID]lateEntry
	changes int // so far

	writing sync.Mutex // held while the list is written
	written int        // changes that are in the database
}

func newLateList(kv KV) *lateList {
	return &lateList{kv: kv, entries: make(map[id.EventID]lateEntry)}
}

// load reads the list, oldest first. It comes before anything is added.
func (l *lateList) load(ctx context.Context) ([]lateEntry, error) {
	data, err := l.kv.Get(ctx, lateEventsKey)
	if err != nil {
		return nil, fmt.Errorf("failed to load the messages that wait for keys: %w", err)
	}
	var entries []lateEntry
	if len(data) > 0 {
		if err = json.Unmarshal(data, &entries); err != nil {
			return nil, fmt.Errorf("failed to parse the messages that wait for keys: %w", err)
		}
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, entry := range entries {
		l.entries[entry.Event] = entry
	}
	slices.SortFunc(entries, func(a, b lateEntry) int { return a.Since.Compare(b.Since) })
	return entries, nil
}

// add returns when the entry is in the database. One that is there already stays as it is.
func (l *lateList) add(ctx context.Context, entry lateEntry) error {
	l.lock.Lock()
	if _, known := l.entries[entry.Event]; known {
		l.lock.Unlock()
		return nil
	}
	l.entries[entry.Event] = entry
	l.changes++
	change := l.changes
	l.lock.Unlock()
	err := l.write(ctx, change)
	if err != nil {
		l.lock.Lock()
		delete(l.entries, entry.Event)
		l.changes++
		l.lock.Unlock()
	}
	return err
}

// remove returns when the entry is not in the database any more.
func (l *lateList) remove(ctx context.Context, evt id.EventID) error {
	l.lock.Lock()
	if _, known := l.entries[evt]; !known {
		l.lock.Unlock()
		return nil
	}
	delete(l.entries, evt)
	l.changes++
	change := l.changes
	l.lock.Unlock()
	return l.write(ctx, change)
}

// write returns when the list as it was after the change is in the database, whoever wrote it.
func (l *lateList) write(ctx context.Context, change int) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if l.written >= change {
		return nil
	}
	l.lock.Lock()
	changes := l.changes
	entries := make([]lateEntry, 0, len(l.entries))
	for _, entry := range l.entries {
		entries = append(entries, entry)
	}
	l.lock.Unlock()
	data, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	if err = l.kv.Set(ctx, lateEventsKey, data); err != nil {
		return err
	}
	l.written = changes
	return nil
}
