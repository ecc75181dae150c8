package e2e_test

import (
	"context"
	"testing"
	"time"

	"postern/testbed/matrixuser"
	"postern/testbed/pusher"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

const (
	// idleTime is the shortest that the configuration allows.
	idleTime = time.Second
	// pushLimit is how long a push may take until its user is connected, and what waits is in the room.
	pushLimit = 2 * time.Second
)

// onDemand starts an installation whose users are connected only while there is something to do.
func onDemand(t *testing.T) (context.Context, *stack.Stack, *pusher.Pusher) {
	t.Helper()
	ctx, s := own(t, stack.Options{})
	gatekeeper, err := pusher.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gatekeeper.Close)
	if err = s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err = gatekeeper.OnDemand(s.Bridge, idleTime); err != nil {
		t.Fatal(err)
	}
	if err = s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, s, gatekeeper
}

// isGone waits until the gatekeeper has no connection of the user's. It has no record of the end of one, so it is asked.
func (u *bridgeUser) isGone(t *testing.T, ctx context.Context) {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		account := must(u.stack.Gatekeeper.Account(ctx, u.ID().String()))(t)
		if len(account.Connected) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatal("the user stays connected")
		}
	}
}

// seen returns the number of the last thing that the gatekeeper saw.
func seen(t *testing.T, ctx context.Context, s *stack.Stack) int64 {
	t.Helper()
	last := int64(0)
	for {
		records := must(s.Gatekeeper.SawSoFar(ctx, last))(t)
		if len(records) == 0 {
			return last
		}
		last = records[len(records)-1].Seq
	}
}

// TestOnDemandLosesNothing is a conversation with pauses in which the user is not connected.
func TestOnDemandLosesNothing(t *testing.T) {
	ctx, s, gatekeeper := onDemand(t)
	c := newConversation(t, ctx, s)
	const rounds, each = 4, 3
	for round := range rounds {
		c.alice.isGone(t, ctx)
		first := round * each
		switch round % 4 {
		case 0: // the contact begins
			if err := c.bobWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if err := gatekeeper.Push(ctx, s.Bridge, c.alice.ID().String()); err != nil {
				t.Fatal(err)
			}
			if _, err := c.alice.WaitMessage(ctx, c.room, "", numberedText(c.back, first+each-1)); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > pushLimit {
				t.Errorf("a push was answered after %s", took)
			}
			if err := c.aliceWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
		case 1: // the user begins
			if err := c.aliceWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			if _, err := c.bob.Device().WaitMessage(ctx, numberedText(c.there, first+each-1)); err != nil {
				t.Fatal(err)
			}
			if err := c.bobWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			if err := gatekeeper.Push(ctx, s.Bridge, c.alice.ID().String()); err != nil {
				t.Fatal(err)
			}
		case 2: // the bridge is killed with something to do, and nobody pushes again
			if err := c.bobWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			if err := c.aliceWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			s.Bridge.Kill()
			if err := s.Bridge.Start(ctx); err != nil {
				t.Fatal(err)
			}
		case 3: // the bridge was off when the push came
			if err := s.Bridge.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			if err := c.bobWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
			if err := s.Bridge.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := c.alice.WaitMessage(ctx, c.room, "", numberedText(c.back, first+each-1)); err != nil {
				t.Fatal(err)
			}
			if err := c.aliceWrites(ctx, first, first+each); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.bob.Device().WaitMessage(ctx, numberedText(c.there, first+each-1)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.alice.WaitMessage(ctx, c.room, "", numberedText(c.back, first+each-1)); err != nil {
			t.Fatal(err)
		}
	}
	c.check(t, ctx, rounds*each)
}

// TestOnDemandReadReceiptsAndCommandsConnect: they are not stored, so they need the channel.
func TestOnDemandReadReceiptsAndCommandsConnect(t *testing.T) {
	ctx, s, gatekeeper := onDemand(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	alice.isGone(t, ctx)
	room := alice.startChat(t, ctx, bob.Phone)
	text := unique("read-me")
	tells(t, ctx, bob, alice, text)
	if err := gatekeeper.Push(ctx, s.Bridge, alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	message := alice.receives(t, ctx, text)
	alice.isGone(t, ctx)
	before := seen(t, ctx, s)
	if err := alice.MarkRead(ctx, room, message.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Gatekeeper.WaitSaw(ctx, before, "read receipt", func(r sandbox.Record) bool { return r.Kind == "receipt read" }); err != nil {
		t.Fatal(err)
	}
	alice.isGone(t, ctx)
}

// TestADroppedUserComesBackWithOneCommand: the gatekeeper forgot the user while the bridge was off for a month. The user is
// told, and after the command goes on in the same room, with new keys.
func TestADroppedUserComesBackWithOneCommand(t *testing.T) {
	ctx, s, gatekeeper := onDemand(t)
	c := newConversation(t, ctx, s)
	if err := c.bothWrite(ctx, 0, 2); err != nil {
		t.Fatal(err)
	}
	if err := gatekeeper.Push(ctx, s.Bridge, c.alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 2)
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.MoveClock(ctx, 31*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if partners := must(s.Gatekeeper.Partners(ctx))(t); len(partners) != 0 {
		t.Fatalf("%d users are still enlisted", len(partners))
	}
	if err := s.Gatekeeper.MoveClock(ctx, 0); err != nil { // tokens are good for an hour
		t.Fatal(err)
	}
	mark := c.alice.Mark()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	command := "login " + stack.GatekeeperID
	if _, err := c.alice.WaitAfter(ctx, mark, "what to do", matrixuser.MessageIn(c.alice.Management, s.Bot(), command)); err != nil {
		t.Fatal(err)
	}
	if err := c.alice.Enlist(ctx); err != nil { // writes the command, and yes
		t.Fatal(err)
	}
	there, back := unique("there-again"), unique("back-again")
	c.alice.writes(t, ctx, c.room, there)
	hears(t, ctx, c.bob, there)
	tells(t, ctx, c.bob, c.alice, back)
	if err := gatekeeper.Push(ctx, s.Bridge, c.alice.ID().String()); err != nil {
		t.Fatal(err)
	}
	if room := c.alice.receives(t, ctx, back).RoomID; room != c.room {
		t.Errorf("the chat went on in %s instead of %s", room, c.room)
	}
}
