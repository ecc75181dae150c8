package interop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"
)

// run is a client's life between Start and Stop, or the end that the gatekeeper made. Its loop goroutine owns it: it
// connects, reads until the connection ends, waits and connects again. Everything that other goroutines do for the run
// is started through spawn or the chat queues, and the loop waits for it before it ends.
type run struct {
	client *Client
	log    *zerolog.Logger

	// ctx ends when the run has to: connecting and waiting stop, what is under way is finished.
	ctx    context.Context
	cancel context.CancelFunc
	// handling is the context of handler calls and of what follows them. It ends only if Stop runs out of time.
	handling context.Context
	abandon  context.CancelFunc
	// done is closed when the run has ended and no goroutine of it is left.
	done chan struct{}

	queues   chatQueues
	outbox   outbox
	inbox    inflight
	devices  deviceCache
	failures undecryptable
	answered retryLimits

	// uploading is held while prekeys are uploaded, so that two uploads do not take the same ones.
	uploading sync.Mutex
	// toldLow has an element for each notification about prekeys that is being followed: one, and one that waits for it.
	toldLow chan struct{}

	mu         sync.Mutex
	connection *connection // set only while logged in
	closing    bool        // no more goroutines may be started
	group      sync.WaitGroup

	// leaving is set while the account is being deleted on our own wish.
	leaving atomic.Bool

	// woken holds an element if the next pause between two tries to connect is to be short.
	woken chan struct{}
}

func newRun(client *Client) *run {
	r := &run{client: client, log: &client.options.Log, done: make(chan struct{}), woken: make(chan struct{}, 1), toldLow: make(chan struct{}, 2)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.handling, r.abandon = context.WithCancel(context.Background())
	r.queues.run = r
	r.outbox.run = r
	r.outbox.troubles = r.newBackoff(holdMin, holdMax)
	return r
}

// stop asks the run to end.
func (r *run) stop() { r.cancel() }

func (r *run) isEnding() bool { return r.ctx.Err() != nil }

// connected returns the connection if the channel is up, otherwise nil.
func (r *run) connected() *connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connection
}

// setConnected announces a connection that is logged in, or with nil that there is none any more. It returns false if the
// run is ending.
func (r *run) setConnected(connection *connection) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if connection != nil && r.closing {
		return false
	}
	r.connection = connection
	return true
}

// spawn runs fn in a goroutine that the run waits for. It returns false, and fn does not run, if the run is ending.
func (r *run) spawn(fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return false
	}
	r.group.Add(1)
	go func() {
		defer r.group.Done()
		fn()
	}()
	return true
}

// loop is the run's goroutine. before is the run that the client had until now, which has to end first: the gatekeeper
// would replace one connection by the other.
func (r *run) loop(before *run) {
	defer close(r.done)
	defer r.abandon()
	if before != nil {
		<-before.done
	}
	finished := make(chan struct{})
	context.AfterFunc(r.ctx, func() {
		defer close(finished)
		r.finish()
	})
	end := r.connectUntilEnd()
	r.cancel()
	<-finished
	if end != nil && !r.leaving.Load() {
		r.log.Warn().Err(end).Msg("Chat channel ended for good")
		r.tell(&Ended{Err: end}) // the queues are closed, and nothing can come after it
	}
}

// finish lets everything come to an end in the order that loses least: no new work, then the handler calls that are
// running, then their receipts and states, and the connection last, so that receipts still go out.
func (r *run) finish() {
	r.queues.stop()
	r.mu.Lock()
	r.closing = true
	connection := r.connection
	r.mu.Unlock()
	r.group.Wait()
	r.outbox.stop()
	if connection != nil {
		connection.close(errStopped)
	}
}

// errStopped ends a connection because the run does.
var errStopped = errors.New("client stopped")

// connectUntilEnd connects again and again. It returns nil if the run was stopped, and otherwise why no further try can
// succeed.
func (r *run) connectUntilEnd() error {
	wait := r.newBackoff(reconnectMin, reconnectMax)
	tokensRefused := 0
	if !r.insist("loading untold identity keys", r.reportUntold) { // before any message of these contacts
		return nil
	}
	for r.ctx.Err() == nil {
		connection, err := r.connect()
		if err == nil {
			wait.succeeded()
			tokensRefused = 0
			err = connection.serve()
			r.forgetWaking()
			r.setConnected(nil)
			r.outbox.disconnected()
		}
		if r.ctx.Err() != nil {
			return nil
		}
		if isPermanent(err) {
			return err
		}
		delay := wait.next()
		if errors.Is(err, ErrReplaced) {
			delay = wait.long(replacedPause)
		} else if errors.Is(err, errTokenRejected) {
			if tokensRefused++; tokensRefused >= maxTokensRefused {
				err = fmt.Errorf("%w: %w", ErrTokenRefused, err)
				delay = wait.long(reconnectMax)
			}
		}
		r.log.Info().Err(err).Dur("retry_in", delay).Msg("Chat channel is down")
		r.report(&Disconnected{Err: err, RetryIn: delay})
		r.pause(delay)
		r.queues.waitUntilLow(r.ctx, err)
	}
	return nil
}

// sleep waits for the time to pass or the run to end; it returns false if the run ended.
func (r *run) sleep(d time.Duration) bool {
	passed := make(chan struct{})
	timer := r.client.options.Clock.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
		return r.ctx.Err() == nil
	case <-r.ctx.Done():
		return false
	}
}

func (r *run) newBackoff(first, most time.Duration) backoff {
	return backoff{clock: r.client.options.Clock, jitter: r.client.options.Jitter, first: first, most: most}
}

// report hands an event about the client itself to the handler, in order with others of its kind.
func (r *run) report(event Event) {
	r.queues.add(types.JID{}, job{run: func() { r.tell(event) }})
}

// tell hands an event to the handler once. An error is logged only.
func (r *run) tell(event Event) {
	if err := r.client.options.Handler.HandleEvent(r.handling, event); err != nil {
		r.log.Warn().Err(err).Type("event", event).Msg("Handler failed, event is dropped")
	}
}

const (
	// handlerBackoffMin and handlerBackoffMax bound the pause before an event is handed to its handler again. The most
	// common reason is a homeserver that restarts, and everybody's messages wait for it.
	handlerBackoffMin = 500 * time.Millisecond
	handlerBackoffMax = 15 * time.Second
)

// insist calls fn again and again, with pauses, until it succeeds. It returns false if the run ended before.
func (r *run) insist(what string, fn func(ctx context.Context) error) bool {
	wait := r.newBackoff(handlerBackoffMin, handlerBackoffMax)
	for {
		err := fn(r.handling)
		if err == nil {
			return true
		} else if r.ctx.Err() != nil {
			return false
		}
		r.observe(IncidentHandlerFailed)
		delay := wait.next()
		r.log.Warn().Err(err).Str("what", what).Dur("retry_in", delay).Msg("Failed, trying again")
		if !r.sleep(delay) {
			return false
		}
	}
}

// deliver hands an event to the handler until it succeeds.
func (r *run) deliver(event Event) bool {
	return r.insist("handler", func(ctx context.Context) error { return r.client.options.Handler.HandleEvent(ctx, event) })
}
