package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/testbed/cmd/bench/report"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

const (
	idleUsers   = 1000
	startTarget = 15 // s
	idleTarget  = 64 // KiB

	// settleTime is how long processes are left alone before their memory is read. Go collects garbage by itself when
	// that was not done for two minutes, and gives memory back to the system in the seconds after it. Nobody is asked
	// to do so sooner.
	settleTime = 130 * time.Second
	// connectedPoll is how often the gatekeeper is asked who is connected. It bounds the error of the time to start.
	connectedPoll = 20 * time.Millisecond
	// bridgeStopTimeout is how long a bridge with all its users may take to stop.
	bridgeStopTimeout = time.Minute
)

// measureUsers reads the bridge's memory without users and, started again with all of them connected and idle, with
// them; and it measures that start. The baseline are as many connections of a process that does nothing else.
func measureUsers(ctx context.Context, b *bench) (figures []report.Figure, err error) {
	users := b.scaled(idleUsers)
	s, err := b.startStack(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	b.progress("  connecting %d accounts without a bridge", users)
	base, err := b.startBare(ctx, users)
	if err != nil {
		return nil, err
	}
	if err = b.settle(ctx); err != nil {
		return nil, errors.Join(err, base.close())
	}
	bareEach, err := base.bytesEach(users)
	if err = errors.Join(err, base.close()); err != nil {
		return nil, err
	}
	empty, err := s.Bridge.ResidentBytes()
	if err != nil {
		return nil, err
	}

	b.progress("  enlisting %d users", users)
	if err = enlistMany(ctx, s, users); err != nil {
		return nil, err
	}
	if err = waitConnected(ctx, s.Gatekeeper, users); err != nil {
		return nil, err
	}
	b.progress("  starting the bridge again")
	took, err := restart(ctx, s, users)
	if err != nil {
		return nil, err
	}
	if err = b.settle(ctx); err != nil {
		return nil, err
	}
	full, err := s.Bridge.ResidentBytes()
	if err != nil {
		return nil, err
	}
	if err = waitConnected(ctx, s.Gatekeeper, users); err != nil {
		return nil, err
	}
	b.progress("  the bridge takes %d MiB without users, %d MiB with them", empty>>20, full>>20)
	return []report.Figure{{
		Name: fmt.Sprintf("memory of an idle enlisted user, at %d", users), Unit: "KiB",
		Value: float64(full-empty) / float64(users) / 1024, Baseline: bareEach / 1024, BaselineName: "a bare connection",
		Target: &report.Target{Subject: report.Value, Number: idleTarget},
	}, {
		Name: fmt.Sprintf("start with %d enlisted users to all connected", users), Unit: "s",
		Value: took.Seconds(), Baseline: base.took.Seconds(), BaselineName: "bare logins",
		Target: &report.Target{Subject: report.Value, Number: startTarget},
	}}, nil
}

// settle leaves everything alone.
func (b *bench) settle(ctx context.Context) error {
	b.progress("  waiting %.0f s for memory to settle", settleTime.Seconds())
	select {
	case <-time.After(settleTime):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// restart returns the time from the start of the bridge until the gatekeeper has everybody.
func restart(ctx context.Context, s *stack.Stack, users int) (time.Duration, error) {
	stopCtx, cancel := context.WithTimeout(ctx, bridgeStopTimeout)
	defer cancel()
	if err := s.Bridge.Stop(stopCtx); err != nil {
		return 0, err
	}
	if err := waitConnected(ctx, s.Gatekeeper, 0); err != nil {
		return 0, err
	}
	start := time.Now()
	if err := s.Bridge.Start(ctx); err != nil {
		return 0, err
	}
	err := waitConnected(ctx, s.Gatekeeper, users)
	return time.Since(start), err
}

// waitConnected asks the gatekeeper until so many clients are connected.
func waitConnected(ctx context.Context, gatekeeper *sandbox.Server, wanted int) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	ticker := time.NewTicker(connectedPoll)
	defer ticker.Stop()
	for {
		connected, err := gatekeeper.Connections(ctx)
		if err != nil {
			return err
		}
		if connected == wanted {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d clients are connected: %w", connected, wanted, ctx.Err())
		}
	}
}
