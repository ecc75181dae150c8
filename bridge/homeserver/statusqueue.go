package homeserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

const (
	// maxQueuedStatuses bounds the requests that wait for one room. What does not fit is dropped: statuses are for the
	// eye, and with this many waiting the homeserver has other troubles.
	maxQueuedStatuses = 1000
	// statusRetryFirst doubles with every failure up to statusRetryMax. After statusTries the request is dropped.
	statusRetryFirst = time.Second
	statusRetryMax   = 30 * time.Second
	statusTries      = 12
	// pendingDelay is how long a message may be on its way before it is shown as pending. Most arrive sooner, and a
	// status is an event in the room's history like any other.
	pendingDelay = 300 * time.Millisecond
)

// statusQueue sends the statuses of each room in order. A room's goroutine exists only while it has something to send.
type statusQueue struct {
	connector *Connector
	lock      sync.Mutex
	rooms     map[id.RoomID][]queuedStatus
	pending   map[id.EventID]*time.Timer // those that wait for pendingDelay
	held      heldSuccesses
	workers   sync.WaitGroup
	idle      chan struct{} // closed when rooms becomes empty, if someone waits
}

type queuedStatus struct {
	job statusJob
	log *zerolog.Logger
	// done gets the result; nil if nobody waits. It has room.
	done chan<- error
}

func newStatusQueue(c *Connector) *statusQueue {
	return &statusQueue{connector: c, rooms: make(map[id.RoomID][]queuedStatus), pending: make(map[id.EventID]*time.Timer)}
}

// errStatusDropped: too many statuses wait in the room.
var errStatusDropped = errors.New("too many message statuses wait")

func (q *statusQueue) add(ctx context.Context, room id.RoomID, jobs []statusJob) {
	if err := q.enqueue(ctx, room, jobs, nil); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Stringer("room_id", room).Msg("Dropped a message status")
	}
}

// addLater is add after pendingDelay, unless settle comes before.
func (q *statusQueue) addLater(ctx context.Context, room id.RoomID, evt id.EventID, jobs []statusJob) {
	log := zerolog.Ctx(ctx)
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.pending[evt] != nil || len(q.pending) >= maxQueuedStatuses {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(pendingDelay, func() {
		q.lock.Lock()
		defer q.lock.Unlock()
		if q.pending[evt] != timer {
			return
		}
		delete(q.pending, evt)
		if err := q.enqueueLocked(log, room, jobs, nil); err != nil {
			log.Debug().Err(err).Stringer("room_id", room).Msg("Dropped a pending status")
		}
	})
	q.pending[evt] = timer
}

// settle forgets that the event is pending, because it is clear what became of it.
func (q *statusQueue) settle(evt id.EventID) {
	q.lock.Lock()
	defer q.lock.Unlock()
	if timer := q.pending[evt]; timer != nil {
		timer.Stop()
		delete(q.pending, evt)
	}
}

// addAndWait is add for those who have to know: it returns when the last of the jobs is done, or why it is not.
func (q *statusQueue) addAndWait(ctx context.Context, room id.RoomID, jobs []statusJob) error {
	done := make(chan error, 1)
	if err := q.enqueue(ctx, room, jobs, done); err != nil || len(jobs) == 0 {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-q.connector.life.Done():
		return errStopping
	}
}

// enqueue hands the jobs to the room's goroutine; done is for the last of them.
func (q *statusQueue) enqueue(ctx context.Context, room id.RoomID, jobs []statusJob, done chan<- error) error {
	q.lock.Lock()
	defer q.lock.Unlock()
	return q.enqueueLocked(zerolog.Ctx(ctx), room, jobs, done)
}

func (q *statusQueue) enqueueLocked(log *zerolog.Logger, room id.RoomID, jobs []statusJob, done chan<- error) error {
	if len(jobs) == 0 {
		return nil
	} else if q.connector.life.Err() != nil {
		return errStopping
	}
	waiting, working := q.rooms[room]
	if len(waiting) >= maxQueuedStatuses {
		return errStatusDropped
	}
	for _, job := range jobs {
		waiting = append(waiting, queuedStatus{job: job, log: log})
	}
	waiting[len(waiting)-1].done = done
	q.rooms[room] = waiting
	if !working {
		q.workers.Go(func() { q.work(room) })
	}
	return nil
}

// work sends until nothing is left for the room.
func (q *statusQueue) work(room id.RoomID) {
	for {
		q.lock.Lock()
		waiting := q.rooms[room]
		if len(waiting) == 0 || q.connector.life.Err() != nil {
			delete(q.rooms, room)
			if len(q.rooms) == 0 && q.idle != nil {
				close(q.idle)
				q.idle = nil
			}
			q.lock.Unlock()
			return
		}
		next := waiting[0]
		q.rooms[room] = waiting[1:]
		q.lock.Unlock()
		err := q.send(room, next)
		if next.done != nil {
			next.done <- err
		}
	}
}

func (q *statusQueue) send(room id.RoomID, status queuedStatus) error {
	ctx := status.log.WithContext(q.connector.life)
	pause := statusRetryFirst
	for try := 1; ; try++ {
		err := status.job(ctx)
		if err == nil {
			return nil
		}
		if try >= statusTries || !mayHeal(err) {
			status.log.Err(err).Stringer("room_id", room).Msg("Failed to send a message status")
			return err
		}
		if sleep(ctx, pause) != nil {
			return err
		}
		pause = min(2*pause, statusRetryMax)
	}
}

// drain waits until everything is sent, but no longer than the timeout.
func (q *statusQueue) drain(timeout time.Duration) {
	q.lock.Lock()
	if len(q.rooms) == 0 {
		q.lock.Unlock()
		return
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.lock.Unlock()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// wait returns when all goroutines have ended. The connector's life must be over.
func (q *statusQueue) wait() {
	q.lock.Lock()
	for _, timer := range q.pending {
		timer.Stop()
	}
	clear(q.pending)
	q.lock.Unlock() // whoever gets it now sees that life is over
	q.workers.Wait()
}

// mayHeal tells whether a failed request may succeed later: the homeserver could not be reached, is out of order, or
// has enough for now.
func mayHeal(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrNotEncrypted) {
		return false
	}
	var answer mautrix.HTTPError
	if !errors.As(err, &answer) || answer.Response == nil {
		return true
	}
	return answer.Response.StatusCode >= 500 || answer.Response.StatusCode == 429
}
