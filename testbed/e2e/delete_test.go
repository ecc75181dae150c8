package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

func TestDeletionsBothWays(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	c.settle(t, ctx) // it deletes a text in each direction

	sent := must(c.alice.SendFile(ctx, c.room, matrixuser.FileOptions{
		MsgType: event.MsgImage, FileName: "picture.png", MimeType: "image/png", Data: drawPicture(t),
	}))(t)
	heard := gets(t, ctx, c.bob, "picture", func(m *waE2E.Message) bool { return m.GetImageMessage() != nil })
	must(c.alice.Redact(ctx, c.room, sent))(t)
	c.bobSeesEnd(t, ctx, heard.Info.ID)

	picture := must(c.bob.Device().SendMedia(ctx, c.alice.Address, whatsmeow.MediaImage, bytes.NewReader(drawPicture(t)),
		whatsapp.MediaOptions{MimeType: "image/png"}))(t)
	shown := c.alice.sees(t, ctx, "picture", func(evt *event.Event) bool {
		return evt.Sender != c.alice.ID() && matrixuser.FileIn(c.room, "", event.MsgImage)(evt)
	})
	must(c.bob.Device().Delete(ctx, c.alice.Address, picture))(t)
	end := c.alice.sees(t, ctx, "end of the picture", matrixuser.RedactionOf(shown.ID))
	if end.Sender != shown.Sender {
		t.Errorf("the picture of %s was deleted by %s", shown.Sender, end.Sender)
	}
	c.checkNoFailure(t)
}

// TestADeletionBeforeItsMessage: what was deleted is never shown.
func TestADeletionBeforeItsMessage(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	message, words := c.bob.Device().Client.GenerateMessageID(), unique("secret")
	must(c.bob.Device().Delete(ctx, c.alice.Address, message))(t)
	must(c.bob.Device().SendRaw(ctx, c.alice.Address, &waE2E.Message{Conversation: proto.String(words)}, message))(t)
	c.settle(t, ctx)
	c.checkNeverShown(t, words)
}

// TestTheUserTakesBackWhatTheBridgeDidNotSeeYet: message and deletion wait for the bridge together.
func TestTheUserTakesBackWhatTheBridgeDidNotSeeYet(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	words := unique("hasty")
	must(c.alice.Redact(ctx, c.room, c.alice.writes(t, ctx, c.room, words)))(t)
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	c.settle(t, ctx)
	for _, message := range c.bob.Device().Messages() {
		if whatsapp.Text(message.Message) == words {
			c.bobSeesEnd(t, ctx, message.Info.ID)
		}
	}
	c.checkNoFailure(t)
}

// TestADeletionOfAPlaceholder: one device of the contact sent what cannot be read and went offline, another one deletes it.
// When the first comes back and sends it again, it is not shown.
func TestADeletionOfAPlaceholder(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 2)
	c := &conversation{alice: alice, bob: bob, room: alice.startChat(t, ctx, bob.Phone)}
	words := unique("hello")
	alice.writes(t, ctx, c.room, words) // only then a ciphertext ends with its authentication code
	hears(t, ctx, bob, words)
	if err := errors.Join(s.Bridge.Stop(ctx), s.Gatekeeper.CorruptNext(ctx, alice.Address.String())); err != nil {
		t.Fatal(err)
	}
	secret := unique("secret")
	sent := tells(t, ctx, bob, alice, secret)
	bob.Devices[0].Disconnect()
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	shown := must(alice.WaitMessage(ctx, c.room, "", placeholder))(t)
	must(bob.Devices[1].Delete(ctx, alice.Address, sent))(t)
	alice.sees(t, ctx, "end of the placeholder", matrixuser.RedactionOf(shown.ID))
	if err := bob.Devices[0].Connect(ctx); err != nil {
		t.Fatal(err)
	}
	must(s.Gatekeeper.WaitSaw(ctx, 0, "the message again", func(record sandbox.Record) bool {
		return record.Kind == "message retry" && record.ID == sent
	}))(t)
	c.settle(t, ctx)
	c.checkNeverShown(t, secret)
}

// TestPeopleCannotDeleteForEachOther: the contact's try is not shown, the user is told that the contact still has it.
func TestPeopleCannotDeleteForEachOther(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, answer := c.exchange(t, ctx)
	client := c.bob.Device().Client
	forged := client.BuildRevoke(c.alice.Address, c.alice.Address, answer.message)
	must(c.bob.Device().Send(ctx, c.alice.Address, forged))(t)
	must(c.bob.Device().Delete(ctx, c.alice.Address, answer.message))(t)

	c.letAliceModerate(t, ctx)
	c.alice.isTold(t, ctx, c.room, must(c.alice.Redact(ctx, c.room, question.event))(t), "deleted here only")
	c.settle(t, ctx)
	for _, evt := range c.alice.Since(0) {
		if matrixuser.RedactionOf(answer.event)(evt) {
			t.Error("the user's message was deleted")
		}
	}
	for _, message := range c.bob.Device().Messages() {
		if message.Message.GetProtocolMessage().GetKey().GetID() == question.message {
			t.Errorf("the contact got %v", message.Message)
		}
	}
}

// letAliceModerate gives the user the power to delete what others wrote, as an administrator may do. In the rooms that the
// bridge makes only its bot has it.
func (c *conversation) letAliceModerate(t *testing.T, ctx context.Context) {
	t.Helper()
	secrets := must(c.alice.stack.Bridge.Secrets())(t)
	bot := must(mautrix.NewClient(c.alice.stack.Homeserver.URL(), c.alice.stack.Bot(), secrets.ASToken))(t)
	bot.SetAppServiceUserID = true
	var levels event.PowerLevelsEventContent
	if err := bot.StateEvent(ctx, c.room, event.StatePowerLevels, "", &levels); err != nil {
		t.Fatal(err)
	}
	levels.SetUserLevel(c.alice.ID(), levels.Redact())
	must(bot.SendStateEvent(ctx, c.room, event.StatePowerLevels, "", &levels))(t)
}

// TestAMessageThatComesTwice has the same id and another ciphertext.
func TestAMessageThatComesTwice(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	message, words := c.bob.Device().Client.GenerateMessageID(), unique("twice")
	for range 2 {
		must(c.bob.Device().SendRaw(ctx, c.alice.Address, &waE2E.Message{Conversation: proto.String(words)}, message))(t)
	}
	c.settle(t, ctx)
	shown := 0
	for _, evt := range c.alice.Since(0) {
		if matrixuser.MessageIn(c.room, "", words)(evt) {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("it is shown %d times", shown)
	}
}
