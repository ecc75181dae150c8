package homeserver

import (
	"sync"

	"maunium.net/go/mautrix/id"
)

// maxHeld bounds the events whose success is held back. Of more, the oldest are forgotten, and shown as sent too early.
const maxHeld = 4096

// holdState is what becomes of a success.
type holdState int

const (
	holdNone    holdState = iota // it is one
	holdPending                  // the event is on its way
	holdFailed                   // the event has failed already
)

// heldSuccesses are events of which the next success is none. Safe for concurrent use.
type heldSuccesses struct {
	lock   sync.Mutex
	states map[id.EventID]holdState
	order  []id.EventID // oldest first; some may not be held any more
}

func (h *heldSuccesses) hold(evt id.EventID) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.states == nil {
		h.states = make(map[id.EventID]holdState)
	}
	if _, held := h.states[evt]; held {
		return
	}
	if len(h.order) >= maxHeld {
		delete(h.states, h.order[0])
		h.order = h.order[1:]
	}
	h.states[evt] = holdPending
	h.order = append(h.order, evt)
}

// succeed takes the event off and returns what its success means.
func (h *heldSuccesses) succeed(evt id.EventID) holdState {
	h.lock.Lock()
	defer h.lock.Unlock()
	state := h.states[evt]
	delete(h.states, evt)
	return state
}

func (h *heldSuccesses) fail(evt id.EventID) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if _, held := h.states[evt]; held {
		h.states[evt] = holdFailed
	}
}
