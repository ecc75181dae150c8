package interop

import (
	"sync"
	"time"

	"go.mau.fi/whatsmeow/types"
)

const (
	// sendWindow is how many messages may be on the wire without an ack. It hides the round trip to the gatekeeper; more
	// would only have to be sent again after a disconnect.
	sendWindow = 64
	// sendBatch is how many messages are encrypted in one transaction and written together.
	sendBatch = 16
	// maxUnsettled is how many acknowledged messages may wait for their result to be handled and stored.
	maxUnsettled = 1024
	// maxTries is how often a message is tried that the gatekeeper refuses, or that has no device to go to, for a reason
	// that may pass.
	maxTries = 5
	// holdMin and holdMax bound the pause of a chat after such a refusal.
	holdMin = time.Second
	holdMax = 5 * time.Minute
)

// outbox sends what is pending in the store. It keeps no messages: it remembers how far it has read, what is on the
// wire, and which chats have to wait.
//
// A message is pending in the store until its result was handled. So after a crash or a disconnect at any point it is
// sent again under the same id, which the gatekeeper knows it by; only the result may come twice.
type outbox struct {
	run *run

	mu sync.Mutex
	// working is set while the sender goroutine exists, again if something changed that it may have missed.
	working, again bool
	// cursor is the Seq up to which pending messages were looked at. setBacks counts how often it was set back, so that a
	// sender that has just loaded what comes after it does not move it on.
	cursor   int64
	setBacks uint64
	// tracked are the messages that are on the wire or being settled.
	tracked map[types.MessageID]*tracked
	// unacked is how many of them are on the wire.
	unacked int
	// newestAcked is when the last of those was written that were acknowledged.
	newestAcked time.Time
	// holds are the chats that have to wait, or that did not succeed since they had to.
	holds map[types.JID]*hold
	// asked are the held contacts that asked for a message again.
	asked map[types.JID]bool
	// drafts are the Seqs of the drafts that are being completed, at most one of each chat.
	drafts map[types.JID]int64
	// pause runs while the store is in trouble, which makes all chats wait.
	pause    Timer
	troubles backoff
	stopped  bool

	settling settler
}

// tracked is a message that must not be sent again for now.
type tracked struct {
	id   types.MessageID
	chat types.JID
	ref  string
	seq  int64
	// created is when Send took it, and kind one of Kinds.
	created time.Time
	kind    string
	// devices are the numbers of the chat's devices that it was encrypted for.
	devices []uint16
	// connection is the one it was written to; nil once it was acknowledged.
	connection *connection
	written    time.Time
}

// hold is a chat whose messages have to wait, all of them, so that their order stays.
type hold struct {
	active bool
	// first is the Seq of the first message that has to wait.
	first int64
	// waiting is set until the pause has passed. The chat also waits for the acks of what is on the wire already, since
	// any of these may be refused too.
	waiting bool
	// untrusted: it does not wait for a time, but for the user; see holdBack. told is the Seq up to which messages were told of.
	untrusted bool
	told      int64
	timer     Timer
	backoff   backoff
	// tries counts, by message, how often it was refused.
	tries map[types.MessageID]int
}

// wake makes sure that the sender looks for pending messages.
func (o *outbox) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wakeLocked()
}

func (o *outbox) wakeLocked() {
	if o.working {
		o.again = true
		return
	}
	if o.canSend() {
		o.working = o.run.spawn(o.work)
	}
}

// canSend tells whether there is any use in looking for messages. Callers hold mu.
func (o *outbox) canSend() bool {
	return !o.stopped && o.pause == nil && o.unacked < sendWindow && len(o.tracked) < maxUnsettled && o.run.connected() != nil
}

// setBack makes the sender look again at what comes after the Seq. Callers hold mu.
func (o *outbox) setBack(to int64) {
	o.cursor = min(o.cursor, to)
	o.setBacks++
}

// connected starts sending on a new connection, from the first pending message.
func (o *outbox) connected() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, hold := range o.holds {
		if hold.active {
			o.releaseLocked(hold)
		}
	}
	o.wakeLocked()
}

// disconnected takes back what was on the wire: it is sent again on the next connection. The sender is set back now and not
// when that is up, since a call of Send may wake it in between, and a new message must not overtake these.
func (o *outbox) disconnected() {
	o.run.devices.forget(types.JID{}) // changes may be missed from now on
	o.mu.Lock()
	defer o.mu.Unlock()
	o.setBack(0)
	for id, message := range o.tracked {
		if message.connection != nil {
			delete(o.tracked, id)
		}
	}
	o.unacked = 0
}

// stop ends sending for good and waits until all results that were handled are stored. The sender must have ended.
func (o *outbox) stop() {
	o.mu.Lock()
	o.stopped = true
	if o.pause != nil {
		o.pause.Stop()
	}
	for _, hold := range o.holds {
		if hold.timer != nil {
			hold.timer.Stop()
		}
	}
	o.mu.Unlock()
	o.settle()
}

// recipients returns the devices that a message was encrypted for which is not settled yet; ok is false if it is not on
// the wire or was settled.
func (o *outbox) recipients(id types.MessageID) (devices []uint16, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	message := o.tracked[id]
	if message == nil {
		return nil, false
	}
	return message.devices, true
}

// pauseSending stops the sender for a while, because of the store.
func (o *outbox) pauseSending() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.setBack(0)
	if o.stopped || o.pause != nil {
		return
	}
	o.pause = o.run.client.options.Clock.AfterFunc(o.troubles.next(), func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.pause = nil
		o.wakeLocked()
	})
}

// holdChat makes a chat wait from the given message on, which is not tracked any more, and returns how often that message
// was refused until now.
func (o *outbox) holdChat(chat types.JID, id types.MessageID, seq int64) (tries int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.holdChatLocked(chat, id, seq)
}

func (o *outbox) holdChatLocked(chat types.JID, id types.MessageID, seq int64) (tries int) {
	delete(o.tracked, id)
	held := o.holdOf(chat)
	held.tries[id]++
	if held.active {
		held.first = min(held.first, seq)
		return held.tries[id]
	}
	held.active, held.waiting, held.first = true, true, seq
	if !o.stopped {
		held.timer = o.run.client.options.Clock.AfterFunc(held.backoff.next(), func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			held.waiting = false
			o.releaseIfReady(chat)
		})
	}
	return held.tries[id]
}

// holdOf returns what is noted of a chat. Callers hold mu.
func (o *outbox) holdOf(chat types.JID) *hold {
	held := o.holds[chat]
	if held == nil {
		held = &hold{backoff: o.run.newBackoff(holdMin, holdMax), tries: make(map[types.MessageID]int)}
		if o.holds == nil {
			o.holds = make(map[types.JID]*hold)
		}
		o.holds[chat] = held
	}
	return held
}

// isHeld tells whether a chat has to wait, and notes that this message does too. Callers hold mu.
func (o *outbox) isHeld(chat types.JID, seq int64) bool {
	held := o.holds[chat]
	if held == nil || !held.active {
		return false
	}
	held.first = min(held.first, seq)
	return true
}

// releaseIfReady lets a chat go on once its pause has passed and nothing of it is on the wire. Callers hold mu.
func (o *outbox) releaseIfReady(chat types.JID) {
	held := o.holds[chat]
	if held == nil || !held.active || held.waiting {
		return
	}
	for _, message := range o.tracked {
		if message.chat == chat && message.connection != nil {
			return
		}
	}
	o.releaseLocked(held)
	o.wakeLocked()
}

// releaseLocked lets a chat go on from the first message that had to wait. Callers hold mu.
func (o *outbox) releaseLocked(held *hold) {
	held.active, held.waiting, held.untrusted = false, false, false
	if held.timer != nil {
		held.timer.Stop()
	}
	o.setBack(held.first - 1)
}

// succeeded forgets a chat's troubles. Callers hold mu.
func (o *outbox) succeeded(chat types.JID) {
	if held := o.holds[chat]; held != nil && !held.active {
		delete(o.holds, chat)
	}
}
