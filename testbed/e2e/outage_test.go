package e2e_test

import (
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

const (
	// outage is how long a server is away: long enough that every retry of the bridge's has failed more than once and
	// waits for its turn.
	outage = time.Minute
	// outageLimit is how long such a test may take. After an outage the next try may be as far away as the outage was
	// long: pauses double.
	outageLimit = 6 * time.Minute
	// outageMessages are written before, during and after.
	outageMessages = 5
)

// away lets time pass. It is what these tests are about, so it cannot be replaced by waiting for an event.
func away(t *testing.T) {
	t.Helper()
	timer := time.NewTimer(outage)
	defer timer.Stop()
	<-timer.C
}

// TestTheHomeserverIsAwayForAMinute: what the contact writes meanwhile arrives once and in order.
func TestTheHomeserverIsAwayForAMinute(t *testing.T) {
	_, s := own(t, stack.Options{})
	ctx := within(t, outageLimit)
	c := newConversation(t, ctx, s)
	if err := c.bothWrite(ctx, 0, outageMessages); err != nil {
		t.Fatal(err)
	}
	// Synapse keeps what it has yet to push to the bridge in memory, so the last messages before it stops would be lost
	// on its side.
	c.check(t, ctx, outageMessages)
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Log("the homeserver did not stop by itself:", err)
	}
	if err := c.bobWrites(ctx, outageMessages, 2*outageMessages); err != nil {
		t.Fatal(err)
	}
	away(t)
	if err := s.Homeserver.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.aliceWrites(ctx, outageMessages, 2*outageMessages); err != nil {
		t.Fatal(err)
	}
	if err := c.bothWrite(ctx, 2*outageMessages, 3*outageMessages); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 3*outageMessages)
}

// TestTheGatekeeperIsAwayForAMinute: what the user writes meanwhile is shown as pending, and arrives once and in order.
func TestTheGatekeeperIsAwayForAMinute(t *testing.T) {
	_, s := own(t, stack.Options{})
	ctx := within(t, outageLimit)
	c := newConversation(t, ctx, s)
	if err := c.bothWrite(ctx, 0, outageMessages); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.aliceWrites(ctx, outageMessages, 2*outageMessages); err != nil {
		t.Fatal(err)
	}
	waiting := c.alice.writes(t, ctx, c.room, unique("waiting"))
	if _, err := c.alice.Wait(ctx, "pending", matrixuser.StatusOf(waiting, event.MessageStatusPending)); err != nil {
		t.Error(err)
	}
	away(t)
	if err := s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.bob.Device().WaitOnline(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.bobWrites(ctx, outageMessages, 2*outageMessages); err != nil {
		t.Fatal(err)
	}
	if _, err := c.alice.Wait(ctx, "success", matrixuser.StatusOf(waiting, event.MessageStatusSuccess)); err != nil {
		t.Error(err)
	}
	if err := c.bothWrite(ctx, 2*outageMessages, 3*outageMessages); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 3*outageMessages)
}

const (
	// kills is how often the bridge is killed during a conversation, and killBatch how many messages each side writes
	// meanwhile.
	kills     = 6
	killBatch = 12
)

// TestTheBridgeIsKilledInTheMiddleOfAConversation: nothing is lost, nothing comes twice, and the order is kept.
func TestTheBridgeIsKilledInTheMiddleOfAConversation(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	for round := range kills {
		var group errgroup.Group
		first := round * killBatch
		group.Go(func() error { return c.bothWrite(ctx, first, first+killBatch) })
		// Kill it when it is busy: at another message of the round each time.
		if _, err := c.alice.WaitMessage(ctx, c.room, "", numberedText(c.back, first+round%killBatch)); err != nil {
			t.Fatal(err)
		}
		s.Bridge.Kill()
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	c.check(t, ctx, kills*killBatch)
}

// loadMessages is how many messages go each way in the load test.
const loadMessages = 300

func TestManyMessagesBothWaysAtOnce(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	start := time.Now()
	if err := c.bothWrite(ctx, 0, loadMessages); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, loadMessages)
	t.Logf("%d messages each way in %s", loadMessages, time.Since(start).Round(time.Millisecond))
}
