package interop

import (
	"context"
	"errors"
	"sync"

	"go.mau.fi/whatsmeow/types"
)

const (
	// maxWaiting and maxWaitingBytes bound what was read but not handled yet, for one client. See errFlooded.
	maxWaiting      = 4096
	maxWaitingBytes = 16 << 20
)

// errFlooded ends a connection because the handler does not keep up. What waits in memory has to be bounded, and the
// gatekeeper keeps everything that was not acknowledged anyway; so the channel is given up until the queues are empty,
// and the rest comes again. Not reading on instead would leave the channel half alive: pings and acks for our own
// messages would wait behind the flood, and the gatekeeper could not tell us from a client that hangs.
var errFlooded = errors.New("too many events wait for the handler")

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
	chats    map[types.JID][]job // exists while the chat's worker does
	waiting  int                 // bounded jobs that are not done
	bytes    int
	stopping bool
	workers  sync.WaitGroup
	empty    chan struct{} // closed when waiting falls to 0; nil if nobody waits for that
}

// add queues a job. It returns false if the run is ending, in which case the job will not run.
func (q *chatQueues) add(chat types.JID, next job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopping {
		return false
	}
	if next.bounded {
		q.waiting++
		q.bytes += next.bytes
	}
	if queued, working := q.chats[chat]; working {
		q.chats[chat] = append(queued, next)
		return true
	}
	if q.chats == nil {
		q.chats = make(map[types.JID][]job)
	}
	q.chats[chat] = nil
	q.workers.Add(1)
	go q.work(chat, next)
	return true
}

func (q *chatQueues) work(chat types.JID, next job) {
	defer q.workers.Done()
	for {
		next.run()
		q.mu.Lock()
		q.finished(next)
		queued := q.chats[chat]
		if len(queued) == 0 || q.stopping {
			for _, dropped := range queued {
				q.finished(dropped)
			}
			delete(q.chats, chat)
			if len(q.chats) == 0 {
				q.chats = nil // a map keeps its buckets
			}
			q.mu.Unlock()
			return
		}
		next = queued[0]
		queued[0] = job{} // the slice outlives it
		q.chats[chat] = queued[1:]
		q.mu.Unlock()
	}
}

// finished takes a job off the books. Callers hold mu.
func (q *chatQueues) finished(done job) {
	if !done.bounded {
		return
	}
	q.waiting--
	q.bytes -= done.bytes
	if q.waiting == 0 && q.empty != nil {
		close(q.empty)
		q.empty = nil
	}
}

// length tells how many jobs wait in a chat, the running one not included.
func (q *chatQueues) length(chat types.JID) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.chats[chat])
}

// isFlooded tells whether more waits than may.
func (q *chatQueues) isFlooded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting > maxWaiting || q.bytes > maxWaitingBytes
}

// waitUntilEmpty waits, if the queues were the reason that the connection ended, until they are empty or ctx ends.
func (q *chatQueues) waitUntilEmpty(ctx context.Context, reason error) {
	if !errors.Is(reason, errFlooded) {
		return
	}
	q.mu.Lock()
	if q.waiting == 0 {
		q.mu.Unlock()
		return
	}
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.mu.Unlock()
	select {
	case <-empty:
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
