package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// TestChangesAreReportedWhenTheGatekeeperHasThem: an edit, a reaction and a deletion are pending until then.
func TestChangesAreReportedWhenTheGatekeeperHasThem(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	_, deleted := c.exchange(t, ctx)
	if err := s.Gatekeeper.DelayAcks(ctx, time.Minute*10); err != nil {
		t.Fatal(err)
	}
	changes := map[string]id.EventID{
		"edit":     must(c.alice.Edit(ctx, c.room, answer.event, "second thoughts"))(t),
		"reaction": must(c.alice.React(ctx, c.room, question.event, "🎉"))(t),
		"deletion": must(c.alice.Redact(ctx, c.room, deleted.event))(t),
	}
	for name, change := range changes {
		c.alice.sees(t, ctx, "pending "+name, matrixuser.StatusOf(change, event.MessageStatusPending))
	}
	c.bobSeesReaction(t, ctx, question, "🎉")
	for _, evt := range c.alice.Since(0) {
		for name, change := range changes {
			if matrixuser.StatusOf(change, event.MessageStatusSuccess)(evt) {
				t.Errorf("the %s is a success before the gatekeeper has it", name)
			}
		}
	}
	if err := s.Gatekeeper.DelayAcks(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Gatekeeper.Drop(ctx, c.alice.Address.String()); err != nil {
		t.Fatal(err)
	}
	for name, change := range changes {
		c.alice.sees(t, ctx, "success of the "+name, matrixuser.StatusOf(change, event.MessageStatusSuccess))
	}
	c.checkNoFailure(t)
}

// TestChangesThatDoNotReachTheContactAreTold, with what it was and the reason.
func TestChangesThatDoNotReachTheContactAreTold(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	if err := s.Gatekeeper.SetThirdParty(ctx, c.bob.Phone, false); err != nil {
		t.Fatal(err)
	}
	const reason = " was not bridged: The recipient does not accept third-party chats."
	c.alice.isTold(t, ctx, c.room, must(c.alice.Edit(ctx, c.room, answer.event, "second thoughts"))(t), "Your edit"+reason)
	c.alice.isTold(t, ctx, c.room, must(c.alice.React(ctx, c.room, question.event, "🎉"))(t), "Your reaction"+reason)
	c.alice.isTold(t, ctx, c.room, must(c.alice.Redact(ctx, c.room, answer.event))(t), "Your deletion"+reason)
}

const (
	// burstKills is how often the bridge is killed while both change their mind about one message each, burstChanges times
	// in between.
	burstKills   = 2
	burstChanges = 8
)

// TestTheBridgeIsKilledInABurstOfChanges: in the end both sides show what was done last, and nothing was done twice.
func TestTheBridgeIsKilledInABurstOfChanges(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	for round := range burstKills {
		var group errgroup.Group
		first := round * burstChanges
		group.Go(func() error { return c.aliceChanges(ctx, question, answer, first, first+burstChanges) })
		group.Go(func() error { return c.bobChanges(ctx, question, answer, first, first+burstChanges) })
		c.alice.sees(t, ctx, "an edit in the middle", func(evt *event.Event) bool {
			return matrixuser.EditOf(question.event)(evt) && evt.Content.AsMessage().NewContent.Body == version(first+burstChanges/2)
		})
		s.Bridge.Kill()
		if err := s.Bridge.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	c.settle(t, ctx)
	last := burstKills*burstChanges - 1
	if got := reactionAt(c.bob, question.message); got != emoji(last) {
		t.Errorf("the contact sees the reaction %q, not %q", got, emoji(last))
	}
	checkVersions(t, "at the contact", editsAt(c.bob, answer), last)
	checkVersions(t, "in the room", editsOf(c.alice, question.event), last)
	if got := reactionsIn(c.alice, answer.event); len(got) != 1 || got[0] != emoji(last) {
		t.Errorf("the room shows the reactions %q, not %q", got, emoji(last))
	}
	c.checkNoFailure(t)
}

// aliceChanges edits the answer and reacts to the question, again and again.
func (c *conversation) aliceChanges(ctx context.Context, question, answer pair, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := c.alice.Edit(ctx, c.room, answer.event, version(i)); err != nil {
			return fmt.Errorf("edit %d by the user: %w", i, err)
		}
		if _, err := c.alice.React(ctx, c.room, question.event, emoji(i)); err != nil {
			return fmt.Errorf("reaction %d by the user: %w", i, err)
		}
	}
	return nil
}

// bobChanges does the same on the other side.
func (c *conversation) bobChanges(ctx context.Context, question, answer pair, first, end int) error {
	for i := first; i < end; i++ {
		if _, err := c.bob.Device().Edit(ctx, c.alice.Address, question.message, version(i)); err != nil {
			return fmt.Errorf("edit %d by the contact: %w", i, err)
		}
		if _, err := c.bob.Device().React(ctx, c.alice.Address, answer.message, false, emoji(i)); err != nil {
			return fmt.Errorf("reaction %d by the contact: %w", i, err)
		}
	}
	return nil
}

func version(number int) string { return fmt.Sprintf("version %d", number) }

// editsAt returns what a message of the user's was edited to at the contact, in order.
func editsAt(contact *stack.Contact, target pair) (texts []string) {
	for _, message := range contact.Device().Messages() {
		edit := message.Message.GetProtocolMessage()
		if edit.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && edit.GetKey().GetID() == target.message {
			texts = append(texts, whatsapp.Text(edit.GetEditedMessage()))
		}
	}
	return texts
}

// reactionsIn returns the reactions of others to an event that are left.
func reactionsIn(user *bridgeUser, target id.EventID) (emojis []string) {
	redacted := make(map[id.EventID]bool)
	for _, evt := range user.Since(0) {
		if content, ok := evt.Content.Parsed.(*event.RedactionEventContent); ok {
			redacted[evt.Redacts], redacted[content.Redacts] = true, true
		}
	}
	for _, evt := range user.Since(0) {
		if matrixuser.ReactionTo(target, "")(evt) && !redacted[evt.ID] {
			emojis = append(emojis, evt.Content.Parsed.(*event.ReactionEventContent).RelatesTo.Key)
		}
	}
	return emojis
}

// checkVersions wants every version at most once, in order, and the last one at the end.
func checkVersions(t *testing.T, where string, texts []string, last int) {
	t.Helper()
	next := 0
	for _, text := range texts {
		var number int
		if _, err := fmt.Sscanf(text, "version %d", &number); err != nil || number < next {
			t.Errorf("%s %q comes where version %d was due", where, text, next)
			continue
		}
		next = number + 1
	}
	if next != last+1 {
		t.Errorf("%s the last version is %d, not %d", where, next-1, last)
	}
}
