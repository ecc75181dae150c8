package baseline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/record"
)

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
	arrivals, stop := watch(ctx, receiver)
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

// arrival is an event and when the sync brought it.
type arrival struct {
	event id.EventID
	at    time.Time
}

func measure(ctx context.Context, from *sender, arrivals *record.Log[arrival]) (time.Duration, error) {
	start := time.Now()
	sent, err := from.send(ctx)
	if err != nil {
		return 0, err
	}
	seen, err := arrivals.Wait(ctx, 0, func(a arrival) bool { return a.event == sent })
	if err != nil {
		return 0, fmt.Errorf("raw event %s %w", sent, err)
	}
	return seen.at.Sub(start), nil
}

// watch syncs as the user until stop, which waits for the end.
func watch(ctx context.Context, client *mautrix.Client) (arrivals *record.Log[arrival], stop func()) {
	arrivals = record.New[arrival]()
	syncer := mautrix.NewDefaultSyncer()
	syncer.OnEvent(func(_ context.Context, evt *event.Event) { arrivals.Add(arrival{evt.ID, time.Now()}) })
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
