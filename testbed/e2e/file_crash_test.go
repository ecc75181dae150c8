package e2e_test

import (
	"context"
	"testing"
	"time"

	"postern/testbed/sandbox"
	"postern/testbed/stack"
)

// TestTheBridgeIsKilledWhileItCarriesFiles: in both directions every file comes once and whole.
func TestTheBridgeIsKilledWhileItCarriesFiles(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	restart := func() {
		s.Bridge.Kill()
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}

	back := [][]byte{randomBytes(500_000), randomBytes(500_001), randomBytes(500_002)}
	standing := stall(t, ctx, s)
	sendsPaper(t, ctx, bob, alice, back[0])
	standing()
	restart()
	heal(t, ctx, s)
	// As early as it can be without the bridge's help: when the gatekeeper has handed out the file.
	after := lastSeen(t, ctx, s)
	sendsPaper(t, ctx, bob, alice, back[1])
	if _, err := s.Gatekeeper.WaitSaw(ctx, after, "download", isDownload); err != nil {
		t.Fatal(err)
	}
	restart()

	there := [][]byte{randomBytes(5 << 20), randomBytes(5<<20 + 1), randomBytes(1000)}
	alice.sendsPaper(t, ctx, room, there[0])
	restart()
	// In the middle of what it does for the gatekeeper, or a little later.
	waitHosted(t, ctx, s, 1)
	alice.sendsPaper(t, ctx, room, there[1])
	waitHosted(t, ctx, s, 2)
	restart()

	// Whatever waits for a server that was away comes before these.
	last := unique("last")
	sendsPaper(t, ctx, bob, alice, back[2])
	tells(t, ctx, bob, alice, last)
	alice.receives(t, ctx, last)
	alice.seesFiles(t, ctx, room, back...)
	alice.sendsPaper(t, ctx, room, there[2])
	alice.writes(t, ctx, room, last)
	hears(t, ctx, bob, last)
	hearsFiles(t, ctx, bob, there...)
}

// TestTheHomeserverIsAwayWhenAFileComes: the file waits with its message.
func TestTheHomeserverIsAwayWhenAFileComes(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	if err := s.Homeserver.Stop(ctx); err != nil {
		t.Log("the homeserver did not stop by itself:", err)
	}
	file, behind := randomBytes(500_000), unique("behind")
	after := lastSeen(t, ctx, s)
	sendsPaper(t, ctx, bob, alice, file)
	tells(t, ctx, bob, alice, behind)
	// It is fetched more than once: the bridge keeps nothing of what it cannot store.
	for range 2 {
		seen, err := s.Gatekeeper.WaitSaw(ctx, after, "download", isDownload)
		if err != nil {
			t.Fatal(err)
		}
		after = seen.Seq
	}
	if err := s.Homeserver.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	alice.receives(t, ctx, behind)
	alice.seesFiles(t, ctx, room, file)
}

// waitHosted waits until the partner server has begun to store so many files.
func waitHosted(t *testing.T, ctx context.Context, s *stack.Stack, count int) {
	t.Helper()
	const pause = 5 * time.Millisecond
	for len(hostedFiles(t, s)) < count {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			t.Fatalf("the partner server has no %d files: %v", count, ctx.Err())
		}
	}
}

func isDownload(saw sandbox.Record) bool { return saw.Kind == "media download" }
