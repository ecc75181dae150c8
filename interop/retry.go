package interop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"postern/interop/wire"
)

const (
	// maxAnswered is how many messages and devices are remembered for the limit on retries.
	maxAnswered = 1024
	// freshSessionAfter is how long a session that was started for a retry without keys is trusted before another may be
	// started the same way: each takes a prekey of the contact's.
	freshSessionAfter = time.Hour
	// answerTries is how often an answer to a retry receipt is tried in a row. After that the receipt is left
	// unacknowledged, so that it comes again after the next login, and others get their turn.
	answerTries = 5
)

// retryJID is the queue for retry receipts: one after another, apart from chats, since answering one may have to wait for
// the gatekeeper.
var retryJID = types.NewJID("", "retry")

var (
	errRetryLimit   = errors.New("message was sent again too often")
	errRetryUnknown = errors.New("no such message in the outbox for this device")
	// errRetrySilent: the contact must not learn that somebody is there.
	errRetrySilent = errors.New("the contact gets no answers")
	// errRetryEarly: the message is being sent, or sent again after a restart; who it goes to is known when it is.
	errRetryEarly = errors.New("message is not on the wire yet")
)

// retryLimits remembers what was sent again.
type retryLimits struct {
	mu       sync.Mutex
	answered map[failureKey]int
	order    []failureKey
	started  map[types.JID]time.Time // when a session was last started for a retry without keys
}

// times tells how often a message was sent again.
func (l *retryLimits) times(key failureKey) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered[key]
}

// count notes another answer.
func (l *retryLimits) count(key failureKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.answered[key]; !known {
		if l.answered == nil {
			l.answered = make(map[failureKey]int)
		} else if len(l.order) >= maxAnswered {
			delete(l.answered, l.order[0])
			l.order = l.order[1:]
		}
		l.order = append(l.order, key)
	}
	l.answered[key]++
}

// mayStart tells whether a session may be started anew for a device.
func (l *retryLimits) mayStart(device types.JID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.started[device]
	return !known || now.Sub(last) >= freshSessionAfter
}

// noteStart notes that keys were fetched for a new session with a device.
func (l *retryLimits) noteStart(device types.JID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started == nil || len(l.started) >= maxAnswered {
		l.started = make(map[types.JID]time.Time)
	}
	l.started[device] = now
}

// handleRetryReceipt queues a request to send a message again. It is acknowledged when it was answered or turned down; if
// the connection or the program ends before, it comes again.
func (c *connection) handleRetryReceipt(node *waBinary.Node) {
	c.run.queues.add(retryJID, job{bounded: true, run: func() {
		if c.settleRetry(node) {
			c.acknowledge(node)
		}
	}})
}

// settleRetry answers a retry receipt or turns it down. It returns false if neither was possible: the store or the
// gatekeeper is in trouble, or the connection or the program ends.
func (c *connection) settleRetry(node *waBinary.Node) bool {
	wait := c.run.newBackoff(handlerBackoffMin, handlerBackoffMax)
	for try := 1; ; try++ {
		err := c.answerRetry(c.run.ctx, node)
		if err == nil {
			c.run.observe(IncidentSentAgain)
			return true
		} else if c.ended() != nil || c.run.isEnding() {
			return false
		}
		if errors.Is(err, errHeldBack) {
			c.run.outbox.noteAsked(jidAttr(node, "from").ToNonAD())
			return false
		}
		final := isFinalForRetry(err)
		c.run.log.Warn().Err(err).Str("message_id", cut(attr(node, "id"), maxMessageID)).Bool("final", final).
			Stringer("device", AddressOf(jidAttr(node, "from"))).Msg("Message was not sent again")
		if final {
			c.run.observe(IncidentNotSentAgain)
			return true
		} else if try == answerTries || !c.run.sleep(wait.next()) {
			return false
		}
	}
}

// isFinalForRetry tells whether the reason that a retry receipt was not answered for will stay.
func isFinalForRetry(reason error) bool {
	if isOurs(reason) {
		return true
	}
	for _, final := range []error{errRetryUnknown, errRetrySilent, errRetryLimit, errBadBundle, ErrNoKeys, wire.ErrMalformed, wire.ErrEncode, wire.ErrTooLarge} {
		if errors.Is(reason, final) {
			return true
		}
	}
	return false
}

// answerRetry sends a message again to the one device that asked for it, in a new session if the request holds keys or
// there is reason to doubt the old one.
func (c *connection) answerRetry(ctx context.Context, node *waBinary.Node) error {
	r := c.run
	device := jidAttr(node, "from")
	retry := child(node, "retry")
	id, count := attr(retry, "id"), intAttr(retry, "count")
	if retry == nil || id == "" || len(id) > maxMessageID || id != attr(node, "id") {
		return fmt.Errorf("%w: retry receipt", wire.ErrMalformed)
	}
	message, err := r.client.options.Store.FindOutgoing(r.handling, id)
	if err != nil {
		return fmt.Errorf("failed to load the message: %w", err)
	} else if message == nil || message.Plaintext == nil || message.Draft || message.Chat != device.ToNonAD() {
		return errRetryUnknown // nobody gets a message that was not for them
	} else if err = r.wasFor(message, device); err != nil {
		return err
	}
	if answers, ok := c.answers(device); !ok {
		return ErrNotConnected
	} else if answers == AnswerNothing {
		return errRetrySilent
	}
	if r.answered.times(failureKey{device, id}) >= maxRetries || count > maxRetries {
		return errRetryLimit
	}
	bundle, err := c.retryBundle(ctx, node, device, count)
	if err != nil {
		return err
	}
	plain := []plainMessage{{plaintext: message.Plaintext, devices: []types.JID{device}}}
	bundles := map[types.JID]*preKeyBundle{device: bundle}
	result, err := r.client.sessions.encrypt(r.handling, plain, bundles, bundle != nil)
	if err != nil {
		return err
	} else if err = result.refused[device]; err != nil {
		return err
	}
	r.reportIdentities(result.changed)
	if result.held[device.ToNonAD()] {
		return errHeldBack
	} else if len(result.messages[0]) == 0 {
		return ErrNoKeys
	}
	kind := kindOf(message.Plaintext)
	enc := encNode(result.messages[0][0], kind)
	enc.Attrs["count"] = max(1, count)
	attrs := waBinary.Attrs{"id": id, "to": node.Attrs["from"], "type": kind.stanza, "device_fanout": "false"}
	if at := attr(retry, "t"); at != "" {
		attrs["t"] = at
	}
	if kind.edit != "" {
		attrs["edit"] = string(kind.edit)
	}
	r.answered.count(failureKey{device, id}) // even if the write fails: the message may have left
	return c.write(waBinary.Node{Tag: "message", Attrs: attrs, Content: []waBinary.Node{enc}})
}

// wasFor returns an error unless the message was encrypted for the device when it was sent. A device that the contact
// linked later, or that the gatekeeper made up, gets nothing that was written before.
func (r *run) wasFor(message *Outgoing, device types.JID) error {
	devices := message.Devices
	if message.State == OutgoingPending {
		var onTheWire bool
		if devices, onTheWire = r.outbox.recipients(message.ID); !onTheWire {
			return errRetryEarly
		}
	}
	if !slices.Contains(devices, device.Device) {
		return errRetryUnknown
	}
	return nil
}

// retryBundle returns the keys to start a new session with, nil to go on with the one there is.
func (c *connection) retryBundle(ctx context.Context, node *waBinary.Node, device types.JID, count int) (*preKeyBundle, error) {
	if child(node, "keys") != nil {
		return parseBundle(node)
	}
	missing, err := c.run.client.sessions.missing(c.run.handling, []types.JID{device})
	if err != nil {
		return nil, err
	}
	now := c.run.client.options.Clock.Now()
	doubtful := count >= retryWithKeys && c.run.answered.mayStart(device, now)
	if len(missing) == 0 && !doubtful {
		return nil, nil
	}
	bundles, err := c.fetchBundles(ctx, []types.JID{device})
	if err != nil {
		return nil, err
	} else if bundles[device] == nil {
		return nil, ErrNoKeys
	}
	c.run.answered.noteStart(device, now)
	return bundles[device], nil
}
