package gatekeeper

import (
	"sync"

	"go.mau.fi/whatsmeow/types"
)

// hub knows who is connected, and who watches whose presence.
type hub struct {
	mu       sync.Mutex
	sessions map[types.JID]*session              // by device
	watchers map[types.JID]map[*session]struct{} // by the account that is watched
	closed   bool
}

func newHub() *hub {
	return &hub{sessions: make(map[types.JID]*session), watchers: make(map[types.JID]map[*session]struct{})}
}

// add makes c the device's session and returns the one that it replaces, if any. ok is false once close was called.
func (h *hub) add(c *session) (replaced *session, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, false
	}
	replaced = h.sessions[c.device]
	h.sessions[c.device] = c
	return replaced, true
}

// remove forgets a session. It returns true if it was still the device's.
func (h *hub) remove(c *session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for account := range c.watching {
		delete(h.watchers[account], c)
		if len(h.watchers[account]) == 0 {
			delete(h.watchers, account)
		}
	}
	if h.sessions[c.device] != c {
		return false
	}
	delete(h.sessions, c.device)
	return true
}

// get returns a device's session, nil if it is not connected.
func (h *hub) get(device types.JID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[device]
}

// of returns the sessions of an account's devices.
func (h *hub) of(u *user) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	var connected []*session
	for _, device := range u.devices {
		if c := h.sessions[u.as(true, device)]; c != nil {
			connected = append(connected, c)
		}
	}
	return connected
}

// all returns every session.
func (h *hub) all() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	connected := make([]*session, 0, len(h.sessions))
	for _, c := range h.sessions {
		connected = append(connected, c)
	}
	return connected
}

// close refuses sessions from now on and returns those that there are.
func (h *hub) close() []*session {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	return h.all()
}

// watch makes c hear of an account's presence, up to maxWatched accounts.
func (h *hub) watch(c *session, account types.JID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[c.device] != c || len(c.watching) >= maxWatched {
		return
	}
	c.watching[account] = struct{}{}
	if h.watchers[account] == nil {
		h.watchers[account] = make(map[*session]struct{})
	}
	h.watchers[account][c] = struct{}{}
}

// watching returns who hears of an account's presence.
func (h *hub) watching(account types.JID) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	watchers := make([]*session, 0, len(h.watchers[account]))
	for c := range h.watchers[account] {
		watchers = append(watchers, c)
	}
	return watchers
}
