package interop

import (
	"context"
	"fmt"
)

// IsIdle tells whether a stop now would interrupt nothing: the channel is up, what follows a login is done, everything that
// waited in the mailbox was handled, nothing is on its way in either direction, and no message waits in the outbox but for the user. While the
// channel is down a client is not idle: it was started for something. It costs a query if all else is so.
func (c *Client) IsIdle(ctx context.Context) (bool, error) {
	connection := c.connected()
	if connection == nil || !connection.run.isIdle(connection) {
		return false, nil
	}
	done, err := c.onlyHeld(ctx)
	if err != nil {
		return false, fmt.Errorf("failed to look for messages that wait: %w", err)
	}
	return done, nil
}

// Rest is Stop for a client that IsIdle just found idle. more is true if anything came from the gatekeeper since then: it may
// not have been handled, and the client should be started again. What came too late even for that was not acknowledged, so
// the gatekeeper keeps it.
func (c *Client) Rest(ctx context.Context) (more bool, err error) {
	connection := c.connected()
	err = c.Stop(ctx)
	return connection == nil || connection.stanzas.Load() != connection.idleAt.Load(), err
}

// isIdle notes how many stanzas had come if nothing is under way. What is read first is what the rest begins with, so nothing is
// overlooked on its way from one to the other.
func (r *run) isIdle(connection *connection) bool {
	stanzas := connection.stanzas.Load()
	if !connection.isIdle(stanzas) || !r.queues.isIdle() || !r.inbox.isIdle() || !r.outbox.isIdle() {
		return false
	}
	connection.idleAt.Store(stanzas)
	return true
}

// isIdle tells whether all stanzas that came were dispatched, and nothing of the connection's own is under way.
func (c *connection) isIdle(stanzas uint64) bool {
	c.mu.Lock()
	asked := len(c.waiters)
	c.mu.Unlock()
	return c.ready.Load() && c.dispatched.Load() == stanzas && asked == 0 && c.offline.isDone()
}

// isDone tells whether all that waited in the mailbox was handled.
func (t *offlineTracker) isDone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.arrived && t.open == 0
}

func (q *chatQueues) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.chats) == 0
}

func (f *inflight) isIdle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.entries) == 0
}

// isIdle does not look into the store.
func (o *outbox) isIdle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.working && len(o.tracked) == 0 && len(o.drafts) == 0 && o.pause == nil
}
