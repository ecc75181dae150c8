package e2e_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// conversation is numbered messages in both directions of one chat.
type conversation struct {
	alice *bridgeUser
	bob   *stack.Contact
	room  id.RoomID
	// prefixes keep the conversations of a test apart.
	there, back string
}

// newConversation makes two people and their chat.
func newConversation(t *testing.T, ctx context.Context, s *stack.Stack) *conversation {
	t.Helper()
	c := &conversation{
		alice: newEnlisted(t, ctx, s, "alice"), bob: newContact(t, ctx, s, "Bob", 1),
		there: unique("there"), back: unique("back"),
	}
	c.room = c.alice.startChat(t, ctx, c.bob.Phone)
	hello := unique("hello")
	c.alice.writes(t, ctx, c.room, hello)
	hears(t, ctx, c.bob, hello)
	return c
}

// aliceWrites sends the messages with the numbers from first to before end, one after the other.
func (c *conversation) aliceWrites(ctx context.Context, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := c.alice.SendText(ctx, c.room, numberedText(c.there, i)); err != nil {
			return fmt.Errorf("message %d to the contact: %w", i, err)
		}
	}
	return nil
}

// bobWrites does the same in the other direction.
func (c *conversation) bobWrites(ctx context.Context, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := c.bob.Device().SendText(ctx, c.alice.Address, numberedText(c.back, i)); err != nil {
			return fmt.Errorf("message %d from the contact: %w", i, err)
		}
	}
	return nil
}

// bothWrite lets them write at the same time.
func (c *conversation) bothWrite(ctx context.Context, first, end int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.aliceWrites(ctx, first, end) })
	group.Go(func() error { return c.bobWrites(ctx, first, end) })
	return group.Wait()
}

// check waits until the last message arrived on both sides, and then wants to see every message once and in order:
// at the contact as the device received them, in the room as the homeserver stores them.
func (c *conversation) check(t *testing.T, ctx context.Context, count int) {
	t.Helper()
	if _, err := c.bob.Device().WaitMessage(ctx, numberedText(c.there, count-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.alice.WaitMessage(ctx, c.room, "", numberedText(c.back, count-1)); err != nil {
		t.Fatal(err)
	}
	var heard []string
	for _, message := range c.bob.Device().Messages() {
		heard = append(heard, whatsapp.Text(message.Message))
	}
	checkNumbers(t, "at the contact", c.there, heard, count)

	stored, err := c.alice.Transcript(ctx, c.room)
	if err != nil {
		t.Fatal(err)
	}
	var read []string
	for _, message := range stored {
		read = append(read, message.Content.AsMessage().Body)
	}
	checkNumbers(t, "in the room", c.back, read, count)
	checkRetries(t, stored)
}

func numberedText(prefix string, number int) string { return fmt.Sprintf("%s #%d", prefix, number) }

var numbered = regexp.MustCompile(`^(\S+) #(\d+)$`)

func checkNumbers(t *testing.T, where, prefix string, texts []string, count int) {
	t.Helper()
	next, seen := 0, make(map[int]int)
	for _, text := range texts {
		parts := numbered.FindStringSubmatch(text)
		if parts == nil || parts[1] != prefix {
			continue
		}
		number, _ := strconv.Atoi(parts[2])
		seen[number]++
		if seen[number] == 1 && number != next {
			t.Errorf("%s message %d came where %d was due", where, number, next)
		}
		next = number + 1
	}
	for number := range count {
		if seen[number] != 1 {
			t.Errorf("%s message %d came %d times", where, number, seen[number])
		}
	}
}

// checkRetries reports placeholders: nothing was corrupted, so every message should have been readable at once.
func checkRetries(t *testing.T, stored []*event.Event) {
	t.Helper()
	for _, message := range stored {
		if content := message.Content.AsMessage(); content.RelatesTo.GetReplaceID() != "" {
			t.Errorf("%s was readable only when it was sent again", message.ID)
		}
	}
}
