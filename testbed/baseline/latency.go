package baseline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"postern/testbed/homeserver"
	"postern/testbed/record"
)

// watchLimit is how many events of one room a sync may bring. A gap would hide events that are waited for.
const watchLimit = 10_000

// SendLatency sends events one at a time and returns, for each, the time from before the request until another user's
// sync brought it.
func SendLatency(ctx context.Context, server *homeserver.Server, events int) ([]time.Duration, error) {
	receiver, err := newClient(ctx, server, "latency-receiver")
	if err != nil {
		return nil, err
	}
	from, err := newSender(ctx, server, "latency-sender", receiver)
	if err != nil {
		return nil, err
	}
	arrivals, stop := Watch(ctx, receiver)
	defer stop()

	// The first event is only waited for: the watching sync may not have begun.
	if _, err = measure(ctx, from, arrivals); err != nil {
		return nil, err
	}
	taken := make([]time.Duration, 0, events)
	for range events {
		latency, err := measure(ctx, from, arrivals)
		if err != nil {
			return nil, err
		}
		taken = append(taken, latency)
	}
	return taken, nil
}

// Arrival is an event and when the sync brought it.
type Arrival struct {
	Event *event.Event
	At    time.Time
}

func measure(ctx context.Context, from *sender, arrivals *record.Log[Arrival]) (time.Duration, error) {
	start := time.Now()
	sent, err := from.send(ctx)
	if err != nil {
		return 0, err
	}
	seen, err := arrivals.Wait(ctx, 0, func(a Arrival) bool { return a.Event.ID == sent })
	if err != nil {
		return 0, fmt.Errorf("raw event %s %w", sent, err)
	}
	return seen.At.Sub(start), nil
}

// Watch syncs as the user, decrypts nothing, and notes when each event came. stop ends it and waits for the end.
func Watch(ctx context.Context, client *mautrix.Client) (arrivals *record.Log[Arrival], stop func()) {
	arrivals = record.New[Arrival]()
	syncer := mautrix.NewDefaultSyncer()
	syncer.FilterJSON = &mautrix.Filter{Room: &mautrix.RoomFilter{Timeline: &mautrix.FilterPart{Limit: watchLimit}}}
	syncer.OnEvent(func(_ context.Context, evt *event.Event) { arrivals.Add(Arrival{evt, time.Now()}) })
	client.Syncer = syncer
	ctx, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		arrivals.End(errors.Join(errors.New("sync ended"), client.SyncWithContext(ctx)))
	})
	return arrivals, func() {
		cancel()
		ended.Wait()
	}
}
