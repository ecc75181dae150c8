package interop

import (
	"errors"
	"sync"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

const (
	// maxRetries is how often a message is asked for, or sent again.
	maxRetries = 5
	// retryWithKeys is the request from which on our keys are sent along, so that the sender can start a new session.
	// The first goes without: mostly it is the session's state on one side that was a moment late.
	retryWithKeys = 2
	// maxFailures is how many undecryptable messages are remembered. What falls out may be asked for once more.
	maxFailures = 1024
)

// failureKey names a message of a device.
type failureKey struct {
	sender types.JID
	id     types.MessageID
}

// undecryptable remembers the messages that were asked for again.
type undecryptable struct {
	mu    sync.Mutex
	asked map[failureKey]*failure // nil until first used
	order []failureKey            // the oldest first
}

type failure struct {
	times int  // how often the message was asked for
	told  bool // the handler knows
}

// next returns how often the message will have been asked for with this time, whether it failed before, and whether the
// handler was told. count is what the message says itself, which is how the number survives a restart.
func (u *undecryptable) next(key failureKey, count int) (times int, known, told bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	entry, known := u.asked[key]
	if !known {
		if u.asked == nil {
			u.asked = make(map[failureKey]*failure)
		} else if len(u.order) >= maxFailures {
			delete(u.asked, u.order[0])
			u.order = u.order[1:]
		}
		u.order = append(u.order, key)
		entry = &failure{}
		u.asked[key] = entry
	}
	entry.times = max(entry.times, count) + 1
	return entry.times, known, entry.told
}

// setTold notes that the handler knows about the message.
func (u *undecryptable) setTold(key failureKey) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if entry := u.asked[key]; entry != nil {
		entry.told = true
	}
}

// handleUndecryptable asks the sender for a message again and tells the handler, once for each message.
//
// A counter seen before ([signalerror.ErrOldCounter]) is no exception, although it mostly means a message that was handled
// long ago: the inbox knows all of those by their hash for longer than the mailbox can keep them. A ciphertext that it does
// not know was encrypted with a key used twice, which is how peers that lose a step of their session lose messages.
// Asking brings the message, and in the worst case one that the handler knows by its id.
func (c *connection) handleUndecryptable(message *inbound, count int, reason error) {
	r := c.run
	answers, ok := c.answers(message.Chat)
	if !ok {
		return
	}
	times, known, told := r.failures.next(failureKey{message.Sender, message.ID}, count)
	r.log.Warn().Err(reason).Str("message_id", message.ID).Stringer("sender", AddressOf(message.Sender)).
		Int("times", times).Msg("Failed to decrypt a message")
	if times <= maxRetries && answers != AnswerNothing {
		if err := c.askAgain(message, times); err != nil {
			c.close(err) // the message comes again
			return
		}
	}
	switch {
	case told:
		c.acknowledge(message.stanza)
	case !known:
		c.queueUndecryptable(message, reason)
	default: // the handler is at work on it, and it is acknowledged after that
	}
}

// queueUndecryptable tells the handler about a message that cannot be shown, and acknowledges it then. It is not needed
// any more: the sender sends it again as a new one.
func (c *connection) queueUndecryptable(message *inbound, reason error) {
	r := c.run
	event := &Undecryptable{MessageInfo: message.MessageInfo, Reason: reason, Hide: message.hide}
	tracker := c.offlineTrackerFor(message)
	if tracker != nil {
		tracker.begin()
	}
	added := r.queues.add(message.Chat, job{bounded: true, run: func() {
		if r.deliver(event) {
			r.failures.setTold(failureKey{message.Sender, message.ID})
			if connection := r.connected(); connection != nil {
				connection.acknowledge(message.stanza)
			}
		}
		if tracker != nil {
			tracker.finish()
		}
	}})
	if !added && tracker != nil {
		tracker.finish()
	}
}

// askAgain sends a retry receipt. From the second on it holds fresh keys.
func (c *connection) askAgain(message *inbound, times int) error {
	r := c.run
	attrs := receiptAttrs(message.stanza)
	attrs["type"] = "retry"
	content := []waBinary.Node{
		{Tag: "retry", Attrs: waBinary.Attrs{"count": times, "id": message.ID, "t": message.Timestamp.Unix(), "v": 1}},
		registrationNode(r.client.options.Account.Keys.RegistrationID),
	}
	r.observe(IncidentAskedAgain)
	if times >= retryWithKeys {
		keys, err := r.retryKeys()
		if errors.Is(err, errPreKeysUsedUp) {
			r.log.Error().Err(err).Msg("Asking for a message again without keys")
		} else if err != nil {
			return err
		} else {
			content = append(content, keys)
		}
	}
	return c.write(waBinary.Node{Tag: "receipt", Attrs: attrs, Content: content})
}

// retryKeys makes the keys for a retry receipt: our own, and a prekey that nobody else gets.
func (r *run) retryKeys() (waBinary.Node, error) {
	oneTime, err := r.makePreKeys(r.handling, 1, true)
	if err != nil {
		return waBinary.Node{}, err
	}
	signed, err := r.client.options.Store.LoadSignedPreKey(r.handling, 0)
	if err != nil {
		return waBinary.Node{}, err
	} else if signed == nil {
		return waBinary.Node{}, errNoSignedKey
	}
	return waBinary.Node{Tag: "keys", Content: []waBinary.Node{
		{Tag: "type", Content: []byte{djbType}},
		{Tag: "identity", Content: r.client.options.Account.Keys.Identity.Pub[:]},
		preKeyNode(oneTime[0]),
		signedPreKeyNode(signed),
	}}, nil
}
