package connector

import (
	"context"
	"sync"
	"time"
)

// startTimeout is how long a login may hold up others when the bridge starts. After it, the next one starts while this
// one goes on trying.
const startTimeout = 15 * time.Second

// starter lets only so many logins connect at the same time: a thousand handshakes at once would all be slow and need
// memory that is never needed again. Its goroutines exist only while logins wait.
type starter struct {
	limit   int
	life    context.Context
	end     context.CancelFunc
	lock    sync.Mutex
	waiting []func(ctx context.Context)
	running int
	workers sync.WaitGroup
}

func newStarter(limit int) *starter {
	s := &starter{limit: limit}
	s.life, s.end = context.WithCancel(context.Background())
	return s
}

// add runs start when there is room. start returns when its login has connected or failed to, or when ctx ends.
func (s *starter) add(start func(ctx context.Context)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.life.Err() != nil {
		return
	}
	s.waiting = append(s.waiting, start)
	if s.running < s.limit {
		s.running++
		s.workers.Go(s.work)
	}
}

func (s *starter) work() {
	for {
		s.lock.Lock()
		if len(s.waiting) == 0 || s.life.Err() != nil {
			s.running--
			s.waiting = nil
			s.lock.Unlock()
			return
		}
		next := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.lock.Unlock()
		ctx, cancel := context.WithTimeout(s.life, startTimeout)
		next(ctx)
		cancel()
	}
}

// stop forgets the logins that wait and returns when none is starting.
func (s *starter) stop() {
	s.end()
	s.workers.Wait()
}
