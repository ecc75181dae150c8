package baseline

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"postern/testbed/homeserver"
)

// SendRate lets senders put events into a room each, one after the other, and returns how many events a second the
// homeserver accepted in all.
func SendRate(ctx context.Context, server *homeserver.Server, senders, eventsEach int) (float64, error) {
	var all []*sender
	for i := range senders {
		first, err := newClient(ctx, server, fmt.Sprintf("rate-member-%d-a", i))
		if err != nil {
			return 0, err
		}
		second, err := newClient(ctx, server, fmt.Sprintf("rate-member-%d-b", i))
		if err != nil {
			return 0, err
		}
		from, err := newSender(ctx, server, fmt.Sprintf("rate-sender-%d", i), first, second)
		if err != nil {
			return 0, err
		}
		all = append(all, from)
	}
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, from := range all {
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
	return float64(senders*eventsEach) / time.Since(start).Seconds(), nil
}
