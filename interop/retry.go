package interop

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const (
	// maxAnswered is how many messages and devices are remembered for the limit on retries.
	maxAnswered = 1024
	// freshSessionAfter is how long a session that was started for a retry without keys is trusted before another may be
	// started the same way: each takes a prekey of the contact's.
	freshSessionAfter = time.Hour
)

// retryJID is the queue for retry receipts: one after another, apart from chats, since answering one may have to wait for
// the gatekeeper.
var retryJID = types.NewJID("", "retry")

var (
	errRetryLimit   = errors.New("message was sent again too often")
	errRetryUnknown = errors.New("no such message in the outbox for this contact")
)

// retryLimits remembers what was sent again.
type retryLimits struct {
	mu       sync.Mutex
	answered map[failureKey]int
	order    []failureKey
	started  map[types.JID]time.Time // when a session was last started for a retry without keys
}

// count notes another answer and returns how many there were with it.
func (l *retryLimits) count(key failureKey) int {
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
	return l.answered[key]
}

// mayStart tells whether a session may be started anew for a device, and notes that it is.
func (l *retryLimits) mayStart(device types.JID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, known := l.started[device]; known && now.Sub(last) < freshSessionAfter {
		return false
	}
	if l.started == nil || len(l.started) >= maxAnswered {
		l.started = make(map[types.JID]time.Time)
	}
	l.started[device] = now
	return true
}

// handleRetryReceipt queues a request to send a message again. It is acknowledged when it was answered or turned down; if
// the connection or the program ends before, it comes again.
func (c *connection) handleRetryReceipt(node *waBinary.Node) {
	c.run.queues.add(retryJID, job{bounded: true, run: func() {
		err := c.answerRetry(c.run.ctx, node)
		switch {
		case err == nil:
			c.acknowledge(node)
		case c.ended() != nil || c.run.isEnding():
		default:
			c.run.log.Warn().Err(err).Str("message_id", cut(attr(node, "id"), maxMessageID)).
				Stringer("device", AddressOf(jidAttr(node, "from"))).Msg("Message was not sent again")
			c.acknowledge(node)
		}
	}})
}

// answerRetry sends a message again to the one device that asked for it, in a new session if the request holds keys or
// there is reason to doubt the old one.
func (c *connection) answerRetry(ctx context.Context, node *waBinary.Node) error {
	r := c.run
	device := jidAttr(node, "from")
	retry := child(node, "retry")
	id, count := attr(retry, "id"), intAttr(retry, "count")
	if retry == nil || id == "" || len(id) > maxMessageID || id != attr(node, "id") {
		return errors.New("malformed retry receipt")
	}
	message, err := r.client.options.Store.FindOutgoing(r.handling, id)
	if err != nil {
		return fmt.Errorf("failed to load the message: %w", err)
	} else if message == nil || message.Plaintext == nil || message.Chat != device.ToNonAD() {
		return errRetryUnknown // nobody gets a message that was not for them
	}
	if r.answered.count(failureKey{device, id}) > maxRetries || count > maxRetries {
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
	} else if len(result.messages[0]) == 0 {
		return errNoKeys
	}
	r.reportIdentities(result.changed)
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
	return c.write(waBinary.Node{Tag: "message", Attrs: attrs, Content: []waBinary.Node{enc}})
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
	doubtful := count >= retryWithKeys && c.run.answered.mayStart(device, c.run.client.options.Clock.Now())
	if len(missing) == 0 && !doubtful {
		return nil, nil
	}
	bundles, err := c.fetchBundles(ctx, []types.JID{device})
	if err != nil {
		return nil, err
	} else if bundles[device] == nil {
		return nil, errNoKeys
	}
	return bundles[device], nil
}
