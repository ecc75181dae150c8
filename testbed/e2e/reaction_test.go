package e2e_test

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
)

// TestTheUserReacts to a message of the contact's and to one of their own: with one emoji, with another, and with none.
func TestTheUserReacts(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	for _, target := range []pair{question, answer} {
		first := must(c.alice.React(ctx, c.room, target.event, "😀"))(t)
		c.bobSeesReaction(t, ctx, target, "😀")
		// Clients of people with one reaction take the old one away; others leave that to the bridge.
		second := must(c.alice.React(ctx, c.room, target.event, "🎉"))(t)
		c.bobSeesReaction(t, ctx, target, "🎉")
		c.alice.sees(t, ctx, "end of the first reaction", matrixuser.RedactionOf(first))
		must(c.alice.Redact(ctx, c.room, second))(t)
		c.bobSeesReaction(t, ctx, target, "")
	}
}

// reactionChanges is how often the test below tries its luck.
const reactionChanges = 5

// TestTheUserChangesAReaction the way Element does: takes one back, and puts another in its place. On Dendrite the two come
// to the bridge on different ways, and so in any order.
func TestTheUserChangesAReaction(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, _ := c.exchange(t, ctx)
	last := must(c.alice.React(ctx, c.room, question.event, emoji(0)))(t)
	for i := range reactionChanges {
		must(c.alice.Redact(ctx, c.room, last))(t)
		last = must(c.alice.React(ctx, c.room, question.event, emoji(i+1)))(t)
	}
	c.bobSeesReaction(t, ctx, question, emoji(reactionChanges))
	c.settle(t, ctx)
	if got := reactionAt(c.bob, question.message); got != emoji(reactionChanges) {
		t.Errorf("the contact sees the reaction %q", got)
	}
	c.checkNoFailure(t)
	must(c.alice.Redact(ctx, c.room, last))(t)
	c.bobSeesReaction(t, ctx, question, "")
}

func TestTheContactReacts(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	for _, target := range []pair{question, answer} {
		// Each is waited for: a homeserver shows nothing of a reaction that was taken back before a sync brought it.
		first := c.bobReacts(t, ctx, target, "😀")
		second := c.bobReacts(t, ctx, target, "🎉")
		c.alice.sees(t, ctx, "end of the first reaction", matrixuser.RedactionOf(first.ID))
		must(c.bob.Device().React(ctx, c.alice.Address, target.message, !target.fromUser, ""))(t)
		c.alice.sees(t, ctx, "end of the second reaction", matrixuser.RedactionOf(second.ID))
		if first.Sender == c.alice.ID() || first.Sender == s.Bot() {
			t.Errorf("the reaction is from %s", first.Sender)
		}
	}
}

func TestReactionsToWhatIsNotHere(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	for _, emoji := range []string{"😀", ""} {
		must(c.bob.Device().React(ctx, c.alice.Address, "3EB000000000000000", false, emoji))(t)
	}
	c.settle(t, ctx)
	notices := 0
	for _, evt := range c.alice.Since(0) {
		if matrixuser.NoticeIn(c.room, "", "")(evt) {
			notices++
			if got := evt.Content.AsMessage().Body; got != "Reacted with 😀 to a message that is not here." {
				t.Errorf("the notice is %q", got)
			}
		}
	}
	if notices != 1 {
		t.Errorf("%d notices", notices)
	}

	unbridged := c.unbridged(t, ctx)
	c.alice.isTold(t, ctx, c.room, must(c.alice.React(ctx, c.room, unbridged.ID, "😀"))(t), "Your reaction was not bridged")
}

// pair is a message on both sides.
type pair struct {
	message  types.MessageID
	event    id.EventID
	fromUser bool
}

// exchange lets the contact ask and the user answer.
func (c *conversation) exchange(t *testing.T, ctx context.Context) (question, answer pair) {
	t.Helper()
	words := unique("question")
	question.message = tells(t, ctx, c.bob, c.alice, words)
	question.event = c.alice.receives(t, ctx, words).ID
	words = unique("answer")
	answer.fromUser = true
	answer.event = c.alice.writes(t, ctx, c.room, words)
	answer.message = must(c.bob.Device().WaitMessage(ctx, words))(t).Info.ID
	return question, answer
}

// unbridged is an event of the room that the bridge has no message for.
func (c *conversation) unbridged(t *testing.T, ctx context.Context) *event.Event {
	t.Helper()
	return c.alice.sees(t, ctx, "encryption", func(evt *event.Event) bool {
		return matrixuser.EventIn(c.room, "", event.StateEncryption)(evt) && evt.ID != "" // an invite shows it without an id
	})
}

// settle returns when everything that was done so far is shown on the other side: on both ways to the bridge, Dendrite's
// transactions and the bot's sync, comes something that is waited for.
func (c *conversation) settle(t *testing.T, ctx context.Context) {
	t.Helper()
	question, answer := c.exchange(t, ctx)
	must(c.alice.Redact(ctx, c.room, answer.event))(t)
	c.bobSeesEnd(t, ctx, answer.message)
	must(c.bob.Device().Delete(ctx, c.alice.Address, question.message))(t)
	c.alice.sees(t, ctx, "end of the question", matrixuser.RedactionOf(question.event))
}

// bobSeesEnd waits until the user's message is deleted at the contact.
func (c *conversation) bobSeesEnd(t *testing.T, ctx context.Context, target types.MessageID) {
	t.Helper()
	gets(t, ctx, c.bob, "end of "+target, func(m *waE2E.Message) bool {
		protocol := m.GetProtocolMessage()
		return protocol.GetType() == waE2E.ProtocolMessage_REVOKE && protocol.GetKey().GetID() == target && protocol.GetKey().GetFromMe()
	})
}

// bobReacts puts an emoji on a message and returns it as the room shows it.
func (c *conversation) bobReacts(t *testing.T, ctx context.Context, target pair, emoji string) *event.Event {
	t.Helper()
	must(c.bob.Device().React(ctx, c.alice.Address, target.message, !target.fromUser, emoji))(t)
	return c.alice.sees(t, ctx, "reaction "+emoji, matrixuser.ReactionTo(target.event, emoji))
}

// bobSeesReaction waits for a reaction of the user's; "" is the end of one.
func (c *conversation) bobSeesReaction(t *testing.T, ctx context.Context, target pair, emoji string) {
	t.Helper()
	gets(t, ctx, c.bob, "reaction "+emoji, func(m *waE2E.Message) bool {
		reaction := m.GetReactionMessage()
		key := reaction.GetKey()
		return reaction != nil && key.GetID() == target.message && key.GetFromMe() == target.fromUser && reaction.GetText() == emoji
	})
}

// reactionAt is what the contact's device shows at a message in the end, "" if nothing.
func reactionAt(contact *stack.Contact, target types.MessageID) (emoji string) {
	for _, message := range contact.Device().Messages() {
		if reaction := message.Message.GetReactionMessage(); reaction.GetKey().GetID() == target {
			emoji = reaction.GetText()
		}
	}
	return emoji
}

// checkNoFailure wants that the user was never told that something did not work.
func (c *conversation) checkNoFailure(t *testing.T) {
	t.Helper()
	for _, evt := range c.alice.Since(0) {
		if matrixuser.NoticeIn(c.room, "", "bridged")(evt) {
			t.Errorf("the user was told %q", evt.Content.AsMessage().Body)
		}
		status, ok := evt.Content.Parsed.(*event.BeeperMessageStatusEventContent)
		if ok && status.Status != event.MessageStatusSuccess && status.Status != event.MessageStatusPending {
			t.Errorf("the status of %s is %s: %s", status.RelatesTo.EventID, status.Status, status.Message)
		}
	}
}

// emoji returns one of a long row of faces.
func emoji(number int) string { return string(rune('😀' + number)) }
