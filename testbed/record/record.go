// Package record keeps what a user of a test stack received, so that a test can wait for something that is yet to come
// or came already. This is what tests do instead of sleeping.
package record

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNoMatch is wrapped by errors about something that did not come in time.
var ErrNoMatch = errors.New("did not come")

// Mark is a place in a log's order.
type Mark int

// Log is a list that only grows. The zero value is not ready: use [New]. Its methods are safe for concurrent use.
type Log[E any] struct {
	lock    sync.Mutex
	entries []E
	grown   chan struct{} // closed and replaced with every change
	ended   error         // why nothing more will come; nil while something may
}

// New returns an empty log.
func New[E any]() *Log[E] { return &Log[E]{grown: make(chan struct{})} }

// Add appends an entry and wakes all who wait.
func (l *Log[E]) Add(entry E) {
	l.change(func() { l.entries = append(l.entries, entry) })
}

// End says that nothing more will come. Waiting for what did not come fails with the error from now on.
func (l *Log[E]) End(err error) {
	l.change(func() { l.ended = err })
}

func (l *Log[E]) change(fn func()) {
	l.lock.Lock()
	defer l.lock.Unlock()
	fn()
	close(l.grown)
	l.grown = make(chan struct{})
}

// Mark returns the present end.
func (l *Log[E]) Mark() Mark {
	l.lock.Lock()
	defer l.lock.Unlock()
	return Mark(len(l.entries))
}

// Since returns the entries after the mark. The slice must not be changed.
func (l *Log[E]) Since(mark Mark) []E {
	entries, _, _ := l.since(mark)
	return entries
}

func (l *Log[E]) since(mark Mark) (entries []E, grown <-chan struct{}, ended error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.entries[mark:len(l.entries):len(l.entries)], l.grown, l.ended
}

// Wait returns the first entry after the mark that matches, whether it is there or yet to come.
func (l *Log[E]) Wait(ctx context.Context, mark Mark, match func(E) bool) (E, error) {
	entry, _, err := l.Next(ctx, mark, match)
	return entry, err
}

// Next is Wait that also returns the mark behind the entry, to go on from there.
func (l *Log[E]) Next(ctx context.Context, mark Mark, match func(E) bool) (E, Mark, error) {
	var none E
	for {
		entries, grown, ended := l.since(mark)
		for i, entry := range entries {
			if match(entry) {
				return entry, mark + Mark(i) + 1, nil
			}
		}
		mark += Mark(len(entries))
		if ended != nil {
			return none, mark, fmt.Errorf("%w: %w", ErrNoMatch, ended)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return none, mark, fmt.Errorf("%w: %w", ErrNoMatch, ctx.Err())
		}
	}
}
