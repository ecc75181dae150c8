package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"postern/testbed/cmd/bench/peer"
	"postern/testbed/cmd/bench/report"
	"postern/testbed/pusher"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

const (
	onDemandUsers  = 5000
	onDemandTarget = 4 // KiB
	// onDemandIdle is how long users stay connected with nothing to do: short, since thousands have to go.
	onDemandIdle = 2 * time.Second
	onDemandPush = 100
	pushTarget   = 300 // ms
)

// measureOnDemand enlists users who are connected only while there is something to do. It reads the bridge's memory without
// users, with all of them loaded since they were connected once, and started again, when all were called and none waits for
// anything; then it wakes some of them by pushes, one at a time.
func measureOnDemand(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	users := b.scaled(onDemandUsers)
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	gatekeeper, err := pusher.New()
	if err != nil {
		return nil, err
	}
	defer gatekeeper.Close()
	if err = stopBridge(ctx, s); err != nil {
		return nil, err
	}
	if err = gatekeeper.OnDemand(s.Bridge, onDemandIdle); err != nil {
		return nil, err
	}
	empty, err := b.startedBridge(ctx, s, 0)
	if err != nil {
		return nil, err
	}
	b.progress("  enlisting %d users", users)
	if err = enlistMany(ctx, s, users); err != nil {
		return nil, err
	}
	if err = waitConnected(ctx, s.Gatekeeper, 0); err != nil {
		return nil, err
	}
	if err = b.settle(ctx); err != nil {
		return nil, err
	}
	loaded, err := s.Bridge.ResidentBytes()
	if err != nil {
		return nil, err
	}
	b.progress("  starting the bridge again")
	if err = stopBridge(ctx, s); err != nil {
		return nil, err
	}
	full, err := b.startedBridge(ctx, s, users)
	if err != nil {
		return nil, err
	}
	b.progress("  the bridge takes %d KiB without users, %d KiB with them, %d KiB when all were active", empty>>10, full>>10, loaded>>10)
	woken, bare, err := wakeSome(ctx, s, gatekeeper, users, b.scaled(onDemandPush))
	if err != nil {
		return nil, err
	}
	each := func(bytes int64) float64 { return max(0, float64(bytes-empty)/float64(users)/1024) }
	return []report.Figure{{
		Name: fmt.Sprintf("memory of an enlisted user on demand, at %d", users), Unit: "KiB",
		Value: each(full), Baseline: each(loaded), BaselineName: "if all were active",
		Target: &report.Target{Subject: report.Value, Number: onDemandTarget},
	}, {
		Name: fmt.Sprintf("push to connected, of %d users, median", users), Unit: "ms",
		Value: report.Median(report.Milliseconds(woken)), Baseline: report.Median(report.Milliseconds(bare)),
		BaselineName: "a bare client's first login",
		Target:       &report.Target{Subject: report.Value, Number: pushTarget},
	}}, nil
}

func stopBridge(ctx context.Context, s *stack.Stack) error {
	ctx, cancel := context.WithTimeout(ctx, bridgeStopTimeout)
	defer cancel()
	return s.Bridge.Stop(ctx)
}

// startedBridge starts the bridge, waits until it has called so many users and none is connected any more, and returns its
// memory when that has settled.
func (b *bench) startedBridge(ctx context.Context, s *stack.Stack, users int) (int64, error) {
	last, err := lastSeen(ctx, s.Gatekeeper, 0)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err = s.Bridge.Start(ctx); err != nil {
		return 0, err
	}
	called := make(map[string]bool)
	for len(called) < users {
		records, err := s.Gatekeeper.Saw(ctx, last)
		if err != nil {
			return 0, err
		}
		for _, record := range records {
			if last = record.Seq; isLogin(record) {
				called[record.From] = true
			}
		}
	}
	if err = waitConnected(ctx, s.Gatekeeper, 0); err != nil {
		return 0, err
	}
	b.progress("  %d users were called in %.1f s", users, time.Since(start).Seconds())
	if err = b.settle(ctx); err != nil {
		return 0, err
	}
	return s.Bridge.ResidentBytes()
}

func isLogin(record sandbox.Record) bool { return record.Kind == "login" }

// lastSeen returns the number of the last thing that the gatekeeper saw.
func lastSeen(ctx context.Context, gatekeeper *sandbox.Server, after int64) (int64, error) {
	for {
		records, err := gatekeeper.SawSoFar(ctx, after)
		if err != nil || len(records) == 0 {
			return after, err
		}
		after = records[len(records)-1].Seq
	}
}

// wakeSome returns the times from before a push was sent until the gatekeeper saw its user's login, and, in turns with them,
// those of a client that does nothing else.
func wakeSome(ctx context.Context, s *stack.Stack, gatekeeper *pusher.Pusher, users, count int) (woken, bare []time.Duration, err error) {
	last := int64(0)
	for i, user := range rand.Perm(users)[:min(users, count)] {
		if last, err = lastSeen(ctx, s.Gatekeeper, last); err != nil {
			return nil, nil, err
		}
		start := time.Now()
		if err = gatekeeper.Push(ctx, s.Bridge, fmt.Sprintf("@%s:%s", idleName(user), s.Homeserver.Domain())); err != nil {
			return nil, nil, err
		}
		if _, err = s.Gatekeeper.WaitSaw(ctx, last, "login", isLogin); err != nil {
			return nil, nil, err
		}
		woken = append(woken, time.Since(start))

		start = time.Now()
		contact, err := peer.NewContact(ctx, peerServer(s.Gatekeeper), fmt.Sprintf("+%d", firstPhone+i), "Contact")
		if err != nil {
			return nil, nil, err
		}
		bare = append(bare, time.Since(start))
		contact.Close()
	}
	return woken, bare, nil
}
