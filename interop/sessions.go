package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.mau.fi/libsignal/state/record"
)

// maxCachedSessions is how many deserialized sessions of an account stay in memory while nobody uses them: 8 chats with
// up to 4 devices each. A session takes about 4 KiB.
const maxCachedSessions = 32

// sessions gives out Signal sessions, one holder at a time.
//
// The rule that keeps message keys from being used twice: whoever loads, ratchets and stores a session holds its lock from
// before the load until after the commit, for encryption and decryption alike. Locks are taken before a transaction of
// the store is opened, several at once in the order of their addresses, and never while waiting for the network.
type sessions struct {
	store Store
	local *localIdentity
	// holdOnNewKey is Options.HoldOnNewKey.
	holdOnNewKey func(ctx context.Context) (bool, error)

	mu      sync.Mutex
	entries map[Address]*sessionEntry // nil until first used
	clock   uint64                    // rises with every use, for the cache
}

// sessionEntry is one session's lock and, if it was used lately, the session.
type sessionEntry struct {
	address Address
	lock    sync.Mutex
	// record is what the store holds, deserialized; nil if that is not known. Guarded by lock. libsignal changes it in
	// place and before it has checked a message, so it must be forgotten after every error.
	record *record.Session

	holders int    // holds or waits for lock; guarded by sessions.mu
	used    uint64 // guarded by sessions.mu
	cached  bool   // record is set; guarded by sessions.mu, true only while holders is 0
}

func newSessions(store Store, local *localIdentity) *sessions {
	return &sessions{store: store, local: local}
}

// heldSessions are sessions whose locks the caller holds, sorted by address.
type heldSessions struct {
	owner   *sessions
	entries []*sessionEntry
}

// hold waits for the locks of all sessions. The caller must release them. Addresses may be named twice.
func (s *sessions) hold(addresses ...Address) *heldSessions {
	if len(addresses) > 1 {
		addresses = slices.Clone(addresses)
		slices.SortFunc(addresses, compareAddresses)
		addresses = slices.Compact(addresses)
	}
	held := &heldSessions{owner: s, entries: make([]*sessionEntry, len(addresses))}
	s.mu.Lock()
	if s.entries == nil {
		s.entries = make(map[Address]*sessionEntry)
	}
	for i, address := range addresses {
		entry := s.entries[address]
		if entry == nil {
			entry = &sessionEntry{address: address}
			s.entries[address] = entry
		}
		entry.holders++
		entry.cached = false
		held.entries[i] = entry
	}
	s.mu.Unlock()
	for _, entry := range held.entries {
		entry.lock.Lock()
	}
	return held
}

func compareAddresses(a, b Address) int {
	if c := strings.Compare(a.User, b.User); c != 0 {
		return c
	} else if c = strings.Compare(a.Server, b.Server); c != 0 {
		return c
	} else if a.Integrator != b.Integrator {
		return int(a.Integrator) - int(b.Integrator)
	}
	return int(a.Device) - int(b.Device)
}

// entry returns the entry of a held address.
func (h *heldSessions) entry(address Address) *sessionEntry {
	i, found := slices.BinarySearchFunc(h.entries, address, func(e *sessionEntry, a Address) int {
		return compareAddresses(e.address, a)
	})
	if !found {
		panic("session used without its lock")
	}
	return h.entries[i]
}

// load returns the session, nil if there is none. The session is the entry's: it is valid while the lock is held. A stored
// session that cannot be read counts as none, so that a retry makes a new one.
func (h *heldSessions) load(ctx context.Context, address Address) (*record.Session, error) {
	entry := h.entry(address)
	if entry.record != nil {
		return entry.record, nil
	}
	data, err := h.owner.store.LoadSession(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("failed to load the session: %w", err)
	} else if data == nil {
		return nil, nil
	}
	entry.record, _ = decodeSession(data)
	return entry.record, nil
}

// save stores a changed session within the caller's transaction. If that fails or is undone, the caller must forget.
func (h *heldSessions) save(ctx context.Context, address Address, changed *record.Session) error {
	structure := changed.Structure()
	// A fresh record must not stay in use: libsignal overwrites its state instead of archiving it.
	if trimSession(structure) || changed.IsFresh() {
		var err error
		if changed, err = restoreSession(structure); err != nil {
			return err
		}
	}
	data, err := encodeSession(structure)
	if err != nil {
		return err
	} else if err = h.owner.store.SaveSession(ctx, address, data); err != nil {
		return fmt.Errorf("failed to store the session: %w", err)
	}
	h.entry(address).record = changed
	return nil
}

// delete removes a session from the store and the cache, within the caller's transaction or as one of its own.
func (h *heldSessions) delete(ctx context.Context, address Address) error {
	h.entry(address).record = nil
	if err := h.owner.store.DeleteSession(ctx, address); err != nil {
		return fmt.Errorf("failed to delete the session: %w", err)
	}
	return nil
}

// forget drops what is in memory: what the store holds may be older.
func (h *heldSessions) forget() {
	for _, entry := range h.entries {
		entry.record = nil
	}
}

// release gives the locks back.
func (h *heldSessions) release() {
	s := h.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, entry := range h.entries {
		entry.holders--
		s.clock++
		entry.used = s.clock
		if entry.holders == 0 {
			if entry.record == nil {
				delete(s.entries, entry.address)
			} else {
				entry.cached = true
			}
		}
		entry.lock.Unlock()
	}
	s.evict(maxCachedSessions)
}

// evict forgets the sessions that were not used for longest until at most keep are cached. Callers hold mu.
func (s *sessions) evict(keep int) {
	for len(s.entries) > keep {
		var oldest *sessionEntry
		for _, entry := range s.entries {
			if entry.cached && (oldest == nil || entry.used < oldest.used) {
				oldest = entry
			}
		}
		if oldest == nil {
			return // all in use
		}
		delete(s.entries, oldest.address)
	}
}

// shrink forgets all sessions if none was used since the clock showed since, and returns what it shows now.
func (s *sessions) shrink(since uint64) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clock == since {
		s.dropLocked()
	}
	return s.clock
}

// drop forgets all sessions that nobody uses.
func (s *sessions) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
}

func (s *sessions) dropLocked() {
	s.evict(0)
	if len(s.entries) == 0 {
		s.entries = nil
	}
}
