package interop

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
)

const (
	// maxWaiting and maxWaitingBytes bound what was read but not handled yet, for one client. See errFlooded.
	maxWaiting      = 4096
	maxWaitingBytes = 16 << 20
	// chatShare is what a chat may always have waiting; beyond it, no more than is still free for all. So one chat whose
	// handler hangs takes half of the room, a second one half of the rest, and others go on.
	chatShare      = 16
	chatShareBytes = 256 << 10
	// floodPause bounds how long a client stays away whose queues were full. A handler that hangs for ever in many chats
	// must not keep the others off line for ever.
	floodPause = time.Minute
)

// errFlooded ends a connection because the handler does not keep up in all chats together. What waits in memory has to be
// bounded, and the gatekeeper keeps everything that was not acknowledged anyway; so the channel is given up until half
// of it is done, and the rest comes again. Not reading on instead would leave the channel half alive: pings and acks for
// our own messages would wait behind the flood, and the gatekeeper could not tell us from a client that hangs.
var errFlooded = errors.New("too many events wait for the handler")

// errLeftBehind ends a connection on which stanzas of a chat were left aside because too many waited. They come again on
// the next one.
var errLeftBehind = errors.New("a chat's handler has caught up, what was left aside is wanted now")

// job is one event on its way to the handler.
type job struct {
	run func()
	// bytes is about the memory it takes.
	bytes int
	// bounded jobs count against maxWaiting. Those that are not are bounded elsewhere.
	bounded bool
}

// chatQueues runs jobs: those of one chat one at a time in their order, those of different chats side by side. A chat has
// a goroutine only while it has work. Jobs that concern no chat use the empty JID.
type chatQueues struct {
	run *run

	mu       sync.Mutex
	chats    map[types.JID]*chatQueue // exists while the chat's worker does
	waiting  int                      // bounded jobs that are not done
	bytes    int
	stopping bool
	workers  sync.WaitGroup
	low      chan struct{} // closed when half of the room is free; nil if nobody waits for that
}

// chatQueue is what waits in one chat. Guarded by chatQueues.mu.
type chatQueue struct {
	jobs    []job // without the running one
	waiting int   // bounded jobs that are not done, with the running one
	bytes   int
	// leftBy is the connection that stanzas of this chat were left aside on, nil if there is none.
	leftBy *connection
}

// add queues a job. It returns false if the run is ending, in which case the job will not run.
func (q *chatQueues) add(chat types.JID, next job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopping {
		return false
	}
	queue, working := q.chats[chat]
	if !working {
		queue = &chatQueue{}
		if q.chats == nil {
			q.chats = make(map[types.JID]*chatQueue)
		}
		q.chats[chat] = queue
	}
	if next.bounded {
		q.waiting++
		q.bytes += next.bytes
		queue.waiting++
		queue.bytes += next.bytes
	}
	if working {
		queue.jobs = append(queue.jobs, next)
		return true
	}
	q.workers.Add(1)
	go q.work(chat, queue, next)
	return true
}

func (q *chatQueues) work(chat types.JID, queue *chatQueue, next job) {
	defer q.workers.Done()
	for {
		next.run()
		q.mu.Lock()
		q.finished(queue, next)
		if len(queue.jobs) == 0 || q.stopping {
			for _, dropped := range queue.jobs {
				q.finished(queue, dropped)
			}
			delete(q.chats, chat)
			if len(q.chats) == 0 {
				q.chats = nil // a map keeps its buckets
			}
			q.mu.Unlock()
			if queue.leftBy != nil {
				queue.leftBy.close(errLeftBehind)
			}
			return
		}
		next = queue.jobs[0]
		queue.jobs[0] = job{} // the slice outlives it
		queue.jobs = queue.jobs[1:]
		q.mu.Unlock()
	}
}

// finished takes a job off the books. Callers hold mu.
func (q *chatQueues) finished(queue *chatQueue, done job) {
	if !done.bounded {
		return
	}
	q.waiting--
	q.bytes -= done.bytes
	queue.waiting--
	queue.bytes -= done.bytes
	if q.low != nil && q.isLow() {
		close(q.low)
		q.low = nil
	}
}

// isLow tells whether half of the room is free. Callers hold mu.
func (q *chatQueues) isLow() bool { return q.waiting <= maxWaiting/2 && q.bytes <= maxWaitingBytes/2 }

// isFull tells whether a chat has too much waiting to take in another stanza. If so, the connection is closed once all of
// it is handled.
func (q *chatQueues) isFull(chat types.JID, from *connection) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	queue := q.chats[chat]
	if queue == nil || queue.waiting < max(chatShare, maxWaiting-q.waiting) && queue.bytes < max(chatShareBytes, maxWaitingBytes-q.bytes) {
		return false
	}
	queue.leftBy = from
	return true
}

// length tells how many jobs wait in a chat, the running one not included.
func (q *chatQueues) length(chat types.JID) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if queue := q.chats[chat]; queue != nil {
		return len(queue.jobs)
	}
	return 0
}

// isFlooded tells whether more waits than may.
func (q *chatQueues) isFlooded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting > maxWaiting || q.bytes > maxWaitingBytes
}

// waitUntilLow waits, if the queues were the reason that the connection ended, until half of the room is free, floodPause
// has passed or ctx ends.
func (q *chatQueues) waitUntilLow(ctx context.Context, reason error) {
	if !errors.Is(reason, errFlooded) {
		return
	}
	q.mu.Lock()
	if q.isLow() {
		q.mu.Unlock()
		return
	}
	if q.low == nil {
		q.low = make(chan struct{})
	}
	low := q.low
	q.mu.Unlock()
	passed := make(chan struct{})
	timer := q.run.client.options.Clock.AfterFunc(floodPause, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-low:
	case <-passed:
	case <-ctx.Done():
	}
}

// stop drops what has not begun and waits for what has.
func (q *chatQueues) stop() {
	q.mu.Lock()
	q.stopping = true
	q.mu.Unlock()
	q.workers.Wait()
}
