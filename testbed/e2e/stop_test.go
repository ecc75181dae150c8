package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/testbed/stack"
)

const (
	// stopLimit is what is promised of a stop.
	stopLimit = 10 * time.Second
	// perRound is how many messages each writes in a round, and stopAfter the one after which the bridge is stopped.
	perRound, stopAfter = 40, 10
	stopRounds          = 3
)

// TestAStopUnderLoadLosesAndDoublesNothing stops the bridge with SIGTERM while two people write to each other and send files, and starts
// it again while they go on. It is down within ten seconds each time, and everything arrives once and in order.
func TestAStopUnderLoadLosesAndDoublesNothing(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	var there, back [][]byte
	for round := range stopRounds {
		first := round * perRound
		there, back = append(there, randomBytes(1<<20+round)), append(back, randomBytes(1<<20+100+round))
		c.alice.sendsPaper(t, ctx, c.room, there[round])
		sendsPaper(t, ctx, c.bob, c.alice, back[round])
		written := make(chan error, 1)
		go func() { written <- c.bothWrite(ctx, first, first+perRound) }()
		hears(t, ctx, c.bob, numberedText(c.there, first+stopAfter))
		stopsInTime(t, ctx, s)
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	c.check(t, ctx, stopRounds*perRound)
	c.alice.seesFiles(t, ctx, c.room, back...)
	hearsFiles(t, ctx, c.bob, there...)
}

// TestAStopDoesNotWaitForOthers: a file stands still, and the gatekeeper does not acknowledge messages. The next start goes on with both.
func TestAStopDoesNotWaitForOthers(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	file := randomBytes(500_000)
	standing := stall(t, ctx, s)
	sendsPaper(t, ctx, c.bob, c.alice, file)
	standing()
	if err := s.Gatekeeper.DelayAcks(ctx, stopLimit+time.Second); err != nil {
		t.Fatal(err)
	}
	if err := c.bothWrite(ctx, 0, 1); err != nil {
		t.Fatal(err)
	}
	hears(t, ctx, c.bob, numberedText(c.there, 0)) // it is delivered, and the bridge does not know
	stopsInTime(t, ctx, s)
	heal(t, ctx, s)
	if err := s.Gatekeeper.DelayAcks(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.bothWrite(ctx, 1, 2); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 2)
	c.alice.seesFiles(t, ctx, c.room, file)
}

// stopsInTime stops the bridge as systemd does.
func stopsInTime(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	begin := time.Now()
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	if took >= stopLimit {
		t.Errorf("the stop took %s", took)
	}
	t.Logf("the stop took %s", took.Round(time.Millisecond))
	if logs := s.Logs(); !strings.Contains(logs, "Postern has stopped") {
		t.Error("the bridge does not say that it has stopped")
	}
}
