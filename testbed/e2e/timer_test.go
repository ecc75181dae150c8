package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// timer is how long messages stay in these tests. No app lets people choose so little, but all obey it.
const timer = 3 * time.Second

func TestMessagesDisappearOnBothSides(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	lasting := unique("lasting")
	stays := c.alice.writes(t, ctx, c.room, lasting)
	hears(t, ctx, c.bob, lasting)

	c.bobSetsTimer(t, ctx, timer)
	c.alice.sees(t, ctx, "notice of the timer", matrixuser.NoticeIn(c.room, "", "deleted after 3 seconds, on both sides"))
	sent, heard := c.aliceSays(t, ctx)
	if got := heard.Message.GetExtendedTextMessage().GetContextInfo().GetExpiration(); got != uint32(timer.Seconds()) {
		t.Errorf("the message of the user's disappears after %d seconds", got)
	}
	received := c.bobWritesDisappearing(t, ctx)
	for _, message := range []id.EventID{sent, received} {
		end := c.alice.sees(t, ctx, "end of "+message.String(), matrixuser.RedactionOf(message))
		if content := end.Content.Parsed.(*event.RedactionEventContent); !strings.Contains(content.Reason, "time is over") {
			t.Errorf("it was deleted because %q", content.Reason)
		}
	}

	c.bobSetsTimer(t, ctx, 0)
	c.alice.sees(t, ctx, "notice of the end", matrixuser.NoticeIn(c.room, "", "Turned off disappearing messages."))
	if _, heard = c.aliceSays(t, ctx); heard.Message.GetConversation() == "" {
		t.Errorf("without a timer the contact gets %v", heard.Message)
	}
	for _, evt := range c.alice.Since(0) {
		if matrixuser.RedactionOf(stays)(evt) {
			t.Error("a message of before the timer was deleted")
		}
	}
}

// TestMessagesDisappearLater: the bridge was killed while they waited, and the homeserver was away when they were due.
func TestMessagesDisappearLater(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	c.bobSetsTimer(t, ctx, timer)
	sent := c.bobWritesDisappearing(t, ctx)
	s.Bridge.Kill()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c.alice.sees(t, ctx, "end of a message after a restart", matrixuser.RedactionOf(sent))

	sent = c.bobWritesDisappearing(t, ctx)
	due := time.Now().Add(timer)
	s.Homeserver.Kill()
	time.Sleep(time.Until(due)) // that it is due is what this is about
	if err := s.Homeserver.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	c.bobWritesDisappearing(t, ctx) // which has the bridge look again, instead of after its pause
	c.alice.sees(t, ctx, "end of a message after an outage", matrixuser.RedactionOf(sent))
}

func (c *conversation) bobSetsTimer(t *testing.T, ctx context.Context, timer time.Duration) {
	t.Helper()
	must(c.bob.Device().SetTimer(ctx, c.alice.Address, uint32(timer.Seconds())))(t)
}

// bobWritesDisappearing lets the contact write under the timer, as their app does.
func (c *conversation) bobWritesDisappearing(t *testing.T, ctx context.Context) id.EventID {
	t.Helper()
	words := unique("gone-soon")
	must(c.bob.Device().Send(ctx, c.alice.Address, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String(words), ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(uint32(timer.Seconds()))},
	}}))(t)
	return c.alice.receives(t, ctx, words).ID
}

// aliceSays lets the user write once and returns the message on both sides.
func (c *conversation) aliceSays(t *testing.T, ctx context.Context) (id.EventID, *events.Message) {
	t.Helper()
	words := unique("words")
	sent := c.alice.writes(t, ctx, c.room, words)
	return sent, must(c.bob.Device().WaitMessage(ctx, words))(t)
}
