package baseline

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/testbed/homeserver"
)

// Senders are users with a room each, in which they say what nobody reads.
type Senders struct{ all []*sender }

// NewSenders registers senders and makes their rooms, once for a homeserver.
func NewSenders(ctx context.Context, server *homeserver.Server, count int) (*Senders, error) {
	s := &Senders{}
	for i := range count {
		first, err := newClient(ctx, server, fmt.Sprintf("rate-member-%d-a", i))
		if err != nil {
			return nil, err
		}
		second, err := newClient(ctx, server, fmt.Sprintf("rate-member-%d-b", i))
		if err != nil {
			return nil, err
		}
		from, err := newSender(ctx, server, fmt.Sprintf("rate-sender-%d", i), first, second)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, from)
	}
	return s, nil
}

// Rate lets all senders at the same time put events into their rooms, one after the other, and returns how many events
// a second the homeserver accepted in all.
func (s *Senders) Rate(ctx context.Context, eventsEach int) (float64, error) {
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, from := range s.all {
		group.Go(func() error {
			for range eventsEach {
				if _, err := from.send(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	return float64(len(s.all)*eventsEach) / time.Since(start).Seconds(), nil
}

// SendRate is the rate of new senders.
func SendRate(ctx context.Context, server *homeserver.Server, senders, eventsEach int) (float64, error) {
	all, err := NewSenders(ctx, server, senders)
	if err != nil {
		return 0, err
	}
	return all.Rate(ctx, eventsEach)
}
