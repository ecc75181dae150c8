package provider

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// mediaStock knows how many bytes wait, of each owner and in all.
//
// The files themselves are the only record: the store lists their sizes, and their references tell the owners. A table beside
// them would have to be reconciled with them after a kill, after an admin removed files, and after a backup was restored; here there is
// nothing that could disagree. The sums are in memory, made when they are first needed and again with every sweep.
type mediaStock struct {
	store           MediaStore
	names           mediaNamer
	perOwner, inAll int64 // in bytes, 0 is no limit

	// counting is held, by a value inside, by who lists the store.
	counting chan struct{}

	mu sync.Mutex
	// known is set once the store was listed.
	known bool
	used  map[mediaOwner]int64
	total int64
	// open are the files that are being made and, while the store is listed, those that were finished meanwhile: whether
	// the listing has them is a matter of luck.
	open    map[MediaReference]*mediaReservation
	listing bool
}

// mediaReservation is the room of one file. Its size is part of the sums.
type mediaReservation struct {
	stock     *mediaStock
	reference MediaReference
	owner     mediaOwner
	size      int64
	finished  bool
}

func newMediaStock(options Options) *mediaStock {
	return &mediaStock{
		store:    options.Media,
		names:    mediaNamer{options.MediaKey},
		perOwner: options.MediaPerOwner,
		inAll:    options.MediaInAll,
		counting: make(chan struct{}, 1),
		used:     make(map[mediaOwner]int64),
		open:     make(map[MediaReference]*mediaReservation),
	}
}

// begin makes a reference for a file of the owner. The caller ends the reservation by keep or release.
func (s *mediaStock) begin(ctx context.Context, owner string) (*mediaReservation, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("failed to count the hosted files: %w", err)
	}
	tag := s.names.owner(owner)
	r := &mediaReservation{stock: s, reference: s.names.newReference(tag), owner: tag}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[r.reference] = r
	return r, nil
}

// prepare lists the store if that was not done yet and there is a limit.
func (s *mediaStock) prepare(ctx context.Context) error {
	if s.isReady() {
		return nil
	}
	end, err := s.turn(ctx)
	if err != nil {
		return err
	}
	defer end()
	if s.isReady() {
		return nil // somebody else has listed it meanwhile
	}
	_, err = s.list(ctx, func(MediaFile, mediaOwner) bool { return false })
	return err
}

func (s *mediaStock) isReady() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known || s.perOwner == 0 && s.inAll == 0
}

// turn waits until nobody else lists the store.
func (s *mediaStock) turn(ctx context.Context) (end func(), err error) {
	select {
	case s.counting <- struct{}{}:
		return func() { <-s.counting }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// grow takes room for more bytes. Errors: [ErrQuota], [ErrMediaFull].
func (r *mediaReservation) grow(bytes int64) error {
	s := r.stock
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.perOwner > 0 && s.used[r.owner]+bytes > s.perOwner {
		return ErrQuota
	}
	if s.inAll > 0 && s.total+bytes > s.inAll {
		return ErrMediaFull
	}
	s.add(r.owner, bytes)
	r.size += bytes
	return nil
}

// keep ends the reservation of a file that was committed.
func (r *mediaReservation) keep() {
	r.stock.mu.Lock()
	defer r.stock.mu.Unlock()
	r.finished = true
	if !r.stock.listing {
		delete(r.stock.open, r.reference)
	}
}

// release gives the room back, unless the file was kept.
func (r *mediaReservation) release() {
	r.stock.mu.Lock()
	defer r.stock.mu.Unlock()
	if !r.finished {
		r.stock.empty(r)
		delete(r.stock.open, r.reference)
	}
}

// empty takes a file out of the sums. Callers hold mu.
func (s *mediaStock) empty(r *mediaReservation) {
	s.add(r.owner, -r.size)
	r.size = 0
}

// add changes the sums. Callers hold mu.
func (s *mediaStock) add(owner mediaOwner, bytes int64) {
	s.total += bytes
	if s.used[owner] += bytes; s.used[owner] == 0 {
		delete(s.used, owner)
	}
}

// remove takes what is unwanted out of the store, see list.
func (s *mediaStock) remove(ctx context.Context, unwanted func(MediaFile, mediaOwner) bool) (removed int, err error) {
	end, err := s.turn(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	return s.list(ctx, unwanted)
}

// list goes through the store, removes what is unwanted, and makes the sums anew of the rest. What cannot be removed does not
// keep it from the others; the first error is returned. Files may be put meanwhile. The caller has the turn.
func (s *mediaStock) list(ctx context.Context, unwanted func(MediaFile, mediaOwner) bool) (removed int, err error) {
	s.mu.Lock()
	s.listing = true
	s.mu.Unlock()
	found := make(map[mediaOwner]int64)
	var trouble error
	err = s.store.Each(ctx, func(file MediaFile) error {
		owner := s.names.ownerOf(file.Reference)
		if unwanted(file, owner) {
			problem := s.store.Remove(ctx, file.Reference)
			if problem == nil {
				removed++
				s.forget(file.Reference)
				return nil
			} else if ctx.Err() != nil {
				return ctx.Err()
			} else if trouble == nil {
				trouble = problem
			}
		}
		if !s.isOpen(file.Reference) {
			found[owner] += file.Size
		}
		return nil
	})
	s.finish(found, err == nil)
	if err == nil {
		err = trouble
	}
	return removed, err
}

// forget is told of a file that was removed, maybe right after it was committed.
func (s *mediaStock) forget(reference MediaReference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.open[reference]; r != nil {
		s.empty(r)
	}
}

func (s *mediaStock) isOpen(reference MediaReference) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[reference] != nil
}

// finish ends a listing. Of one that broke off nothing is learned: the sums stay, and may be too high until the next.
func (s *mediaStock) finish(found map[mediaOwner]int64, complete bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listing = false
	if complete {
		s.known, s.used, s.total = true, make(map[mediaOwner]int64, len(found)), 0
		for owner, bytes := range found {
			s.add(owner, bytes)
		}
	}
	for reference, r := range s.open {
		if complete {
			s.add(r.owner, r.size)
		}
		if r.finished {
			delete(s.open, reference)
		}
	}
}

// sweep removes what was committed earlier than before.
func (s *mediaStock) sweep(ctx context.Context, before time.Time) (removed int, err error) {
	return s.remove(ctx, func(file MediaFile, _ mediaOwner) bool { return file.Committed.Before(before) })
}

// removeOf removes all files of an owner.
func (s *mediaStock) removeOf(ctx context.Context, name string) (removed int, err error) {
	owner := s.names.owner(name)
	return s.remove(ctx, func(_ MediaFile, of mediaOwner) bool { return of == owner })
}
