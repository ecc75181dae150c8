package homeserver

import "sync"

// recentSet remembers the last few values that were added. Safe for concurrent use.
type recentSet[T comparable] struct {
	lock  sync.Mutex
	known map[T]struct{}
	ring  []T
	next  int
}

// newRecentSet makes a set that remembers size values.
func newRecentSet[T comparable](size int) *recentSet[T] {
	return &recentSet[T]{known: make(map[T]struct{}), ring: make([]T, 0, size)}
}

func (s *recentSet[T]) has(value T) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	_, ok := s.known[value]
	return ok
}

func (s *recentSet[T]) add(value T) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, ok := s.known[value]; ok {
		return
	}
	s.known[value] = struct{}{}
	if len(s.ring) < cap(s.ring) {
		s.ring = append(s.ring, value)
		return
	}
	delete(s.known, s.ring[s.next])
	s.ring[s.next] = value
	s.next = (s.next + 1) % len(s.ring)
}
