package e2e_test

import (
	"context"
	"slices"
	"testing"

	"maunium.net/go/mautrix/id"

	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// stall lets the next download by the bridge stand still in the middle. The function that it returns waits until it does.
func stall(t *testing.T, ctx context.Context, s *stack.Stack) (standing func()) {
	t.Helper()
	if err := s.Gatekeeper.SpoilMedia(ctx, sandbox.MediaSlow, 1); err != nil {
		t.Fatal(err)
	}
	after := lastSeen(t, ctx, s)
	return func() {
		t.Helper()
		if _, err := s.Gatekeeper.WaitSaw(ctx, after, "a download that stands still", func(saw sandbox.Record) bool {
			return saw.Kind == "media download slow"
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// lastSeen is the number of the gatekeeper's newest record.
func lastSeen(t *testing.T, ctx context.Context, s *stack.Stack) int64 {
	t.Helper()
	last := int64(0)
	for {
		records, err := s.Gatekeeper.SawSoFar(ctx, last)
		if err != nil {
			t.Fatal(err)
		} else if len(records) == 0 {
			return last
		}
		last = records[len(records)-1].Seq
	}
}

// heal ends whatever is wrong with downloads.
func heal(t *testing.T, ctx context.Context, s *stack.Stack) {
	t.Helper()
	if err := s.Gatekeeper.SpoilMedia(ctx, sandbox.MediaNoFault, 0); err != nil {
		t.Fatal(err)
	}
}

// TestAFileHoldsUpItsOwnChatOnly: what the contact writes after a file waits for it, and nobody else does.
func TestAFileHoldsUpItsOwnChatOnly(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob, carol := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1), newContact(t, ctx, s, "Carol", 1)
	file, behind, elsewhere, there := randomBytes(100_000), unique("behind"), unique("elsewhere"), unique("there")
	room := alice.startChat(t, ctx, bob.Phone)
	standing := stall(t, ctx, s)
	sendsPaper(t, ctx, bob, alice, file)
	tells(t, ctx, bob, alice, behind)
	standing()

	tells(t, ctx, carol, alice, elsewhere)
	alice.receives(t, ctx, elsewhere)
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	alice.receives(t, ctx, there)
	if shown := bodies(t, ctx, alice, room); !slices.Equal(shown, []string{there}) {
		t.Errorf("the room shows %q before the file is there", shown)
	}

	heal(t, ctx, s)
	alice.receives(t, ctx, behind)
	if shown := bodies(t, ctx, alice, room); !slices.Equal(shown, []string{there, "paper.pdf", behind}) {
		t.Errorf("the room shows %q", shown)
	}
	alice.seesFiles(t, ctx, room, file)
}

// bodies are the texts of a room's messages, in their order.
func bodies(t *testing.T, ctx context.Context, user *bridgeUser, room id.RoomID) (bodies []string) {
	t.Helper()
	stored, err := user.Transcript(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range stored {
		bodies = append(bodies, message.Content.AsMessage().Body)
	}
	return bodies
}

// TestATextComesAfterTheFileBeforeIt is the order in the other direction, where many files take different times.
func TestATextComesAfterTheFileBeforeIt(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	mark := bob.Device().Mark()
	var files [][]byte
	for _, size := range []int{5 << 20, 1000, 1 << 20, 1} {
		files = append(files, randomBytes(size))
		alice.sendsPaper(t, ctx, room, files[len(files)-1])
		alice.writes(t, ctx, room, "behind a file")
	}
	for i := range 2 * len(files) {
		message, next, err := bob.Device().NextMessage(ctx, mark)
		if err != nil {
			t.Fatal(err)
		}
		if mark = next; (whatsapp.FileOf(message.Message) != nil) != (i%2 == 0) {
			t.Errorf("message %d is %v", i, message.Message)
		}
	}
	hearsFiles(t, ctx, bob, files...)
}
