package e2e_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

func TestTheUserEditsAText(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	_, answer := c.exchange(t, ctx)
	must(c.alice.Edit(ctx, c.room, answer.event, "second thoughts"))(t)
	c.bobSeesEdit(t, ctx, answer.message, func(m *waE2E.Message) bool { return whatsapp.Text(m) == "second thoughts" })

	formatted := format.RenderMarkdown("**third** thoughts", true, false)
	formatted.SetEdit(answer.event)
	must(c.alice.Send(ctx, c.room, &formatted))(t)
	c.bobSeesEdit(t, ctx, answer.message, func(m *waE2E.Message) bool { return whatsapp.Text(m) == "*third* thoughts" })
	c.checkNoFailure(t)
}

func TestTheUserEditsACaption(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	picture := drawPicture(t)
	sent := must(c.alice.SendFile(ctx, c.room, matrixuser.FileOptions{
		MsgType: event.MsgImage, FileName: "picture.png", MimeType: "image/png", Data: picture, Caption: "before",
	}))(t)
	heard := gets(t, ctx, c.bob, "picture", func(m *waE2E.Message) bool { return m.GetImageMessage().GetCaption() == "before" })
	own := c.alice.sees(t, ctx, "own picture", func(evt *event.Event) bool {
		return evt.ID == sent && matrixuser.FileIn(c.room, c.alice.ID(), event.MsgImage)(evt)
	})

	edit := *own.Content.AsMessage()
	edit.Body = "after"
	edit.SetEdit(sent)
	must(c.alice.Send(ctx, c.room, &edit))(t)
	c.bobSeesEdit(t, ctx, heard.Info.ID, func(m *waE2E.Message) bool {
		return m.GetImageMessage().GetCaption() == "after" && bytes.Equal(m.GetImageMessage().GetFileSHA256(), heard.Message.GetImageMessage().GetFileSHA256())
	})
	c.checkNoFailure(t)
}

func TestTheContactEditsAText(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, _ := c.exchange(t, ctx)
	must(c.bob.Device().Edit(ctx, c.alice.Address, question.message, "*second* thoughts"))(t)
	edit := c.alice.sees(t, ctx, "edit", matrixuser.EditOf(question.event)).Content.AsMessage()
	if edit.NewContent == nil || edit.NewContent.FormattedBody != "<strong>second</strong> thoughts" {
		t.Errorf("the edit is %+v", edit.NewContent)
	}
}

func TestTheContactEditsACaption(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	sent := must(c.bob.Device().SendMedia(ctx, c.alice.Address, whatsmeow.MediaImage, bytes.NewReader(drawPicture(t)),
		whatsapp.MediaOptions{MimeType: "image/png", Caption: "before"}))(t)
	shown := c.alice.sees(t, ctx, "picture", matrixuser.FileIn(c.room, "", event.MsgImage))
	after := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("after")}}
	must(c.bob.Device().Send(ctx, c.alice.Address, c.bob.Device().Client.BuildEdit(c.alice.Address, sent, after)))(t)
	edit := c.alice.sees(t, ctx, "edit", matrixuser.EditOf(shown.ID)).Content.AsMessage().NewContent
	if edit == nil || edit.GetCaption() != "after" || edit.MsgType != event.MsgImage || edit.File == nil || edit.File.URL != shown.Content.AsMessage().File.URL {
		t.Errorf("the edit is %+v", edit)
	}
}

// TestEditsInTheWrongOrder: the one that the contact made last stays.
func TestEditsInTheWrongOrder(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	question, _ := c.exchange(t, ctx)
	now := time.Now()
	c.bobEdits(t, ctx, question.message, "newer", now.Add(2*time.Second))
	c.bobEdits(t, ctx, question.message, "older", now.Add(time.Second))
	c.settle(t, ctx)
	if got := editsOf(c.alice, question.event); len(got) != 1 || got[0] != "newer" {
		t.Errorf("the room has the edits %q", got)
	}
}

// TestAnEditBeforeItsMessage: the message was asked for again, say, and comes last. It is shown once, as it is now.
func TestAnEditBeforeItsMessage(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	first, second := unique("first"), unique("second")
	message := c.bob.Device().Client.GenerateMessageID()
	c.bobEdits(t, ctx, message, second, time.Now())
	must(c.bob.Device().SendRaw(ctx, c.alice.Address, &waE2E.Message{Conversation: proto.String(first)}, message))(t)
	shown := c.alice.receives(t, ctx, second)
	c.settle(t, ctx)
	if edits := editsOf(c.alice, shown.ID); len(edits) != 0 {
		t.Errorf("it was edited to %q", edits)
	}
	c.checkNeverShown(t, first)
	// It can be edited again, like any other.
	c.bobEdits(t, ctx, message, "third", time.Now())
	c.alice.sees(t, ctx, "edit", matrixuser.EditOf(shown.ID))
}

// TestEditsThatAreRefused are told, with the reason.
func TestEditsThatAreRefused(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	unbridged := c.unbridged(t, ctx)
	unknown := must(c.alice.Edit(ctx, c.room, unbridged.ID, "of something unknown"))(t)
	c.alice.isTold(t, ctx, c.room, unknown, "Your edit was not bridged: The bridge does not know the message")

	// The homeserver believes an application service that the message was sent a while ago.
	words := unique("long ago")
	old := c.aliceWroteAt(t, ctx, words, time.Now().Add(-20*time.Minute))
	hears(t, ctx, c.bob, words)
	late := must(c.alice.Edit(ctx, c.room, old, "too late"))(t)
	c.alice.isTold(t, ctx, c.room, late, "only within 15 minutes")

	c.settle(t, ctx)
	for _, message := range c.bob.Device().Messages() {
		if message.IsEdit {
			t.Errorf("the contact got the edit %v", message.Message)
		}
	}
}

// aliceWroteAt sends a text with a time of its own, which homeservers take from application services only.
func (c *conversation) aliceWroteAt(t *testing.T, ctx context.Context, words string, at time.Time) id.EventID {
	t.Helper()
	content := must(c.alice.Client.Crypto.Encrypt(ctx, c.room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: words}))(t)
	secrets := must(c.alice.stack.Bridge.Secrets())(t)
	service := must(mautrix.NewClient(c.alice.stack.Homeserver.URL(), c.alice.ID(), secrets.DoublePuppetToken))(t)
	service.SetAppServiceUserID = true
	return must(service.SendMessageEvent(ctx, c.room, event.EventEncrypted, content, mautrix.ReqSendEvent{Timestamp: at.UnixMilli()}))(t).EventID
}

// TestTheContactCannotEditMessagesOfTheUser: neither by naming them as someone else's, nor as their own.
func TestTheContactCannotEditMessagesOfTheUser(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	_, answer := c.exchange(t, ctx)
	forged := c.bob.Device().Client.BuildEdit(c.alice.Address, answer.message, &waE2E.Message{Conversation: proto.String("forged")})
	forged.EditedMessage.Message.ProtocolMessage.Key.FromMe = proto.Bool(false)
	must(c.bob.Device().Send(ctx, c.alice.Address, forged))(t)
	c.bobEdits(t, ctx, answer.message, "claimed", time.Now())
	c.settle(t, ctx)
	if edits := editsOf(c.alice, answer.event); len(edits) != 0 {
		t.Errorf("it was edited to %q", edits)
	}
	c.checkNeverShown(t, "forged")
}

// bobEdits lets the contact edit a message at a time of its own.
func (c *conversation) bobEdits(t *testing.T, ctx context.Context, target types.MessageID, text string, at time.Time) {
	t.Helper()
	edit := c.bob.Device().Client.BuildEdit(c.alice.Address, target, &waE2E.Message{Conversation: proto.String(text)})
	edit.EditedMessage.Message.ProtocolMessage.TimestampMS = proto.Int64(at.UnixMilli())
	must(c.bob.Device().Send(ctx, c.alice.Address, edit))(t)
}

// bobSeesEdit waits for an edit of a message of the user's, whose new content matches.
func (c *conversation) bobSeesEdit(t *testing.T, ctx context.Context, target types.MessageID, match func(*waE2E.Message) bool) {
	t.Helper()
	gets(t, ctx, c.bob, "edit of "+target, func(m *waE2E.Message) bool {
		edit := m.GetProtocolMessage()
		key := edit.GetKey()
		return edit.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && key.GetID() == target && key.GetFromMe() && match(edit.GetEditedMessage())
	})
}

// editsOf returns what an event was edited to, in order.
func editsOf(user *bridgeUser, target id.EventID) (texts []string) {
	for _, evt := range user.Since(0) {
		if matrixuser.EditOf(target)(evt) {
			texts = append(texts, evt.Content.AsMessage().NewContent.Body)
		}
	}
	return texts
}

// checkNeverShown wants that nothing in the room ever had the words.
func (c *conversation) checkNeverShown(t *testing.T, words string) {
	t.Helper()
	for _, evt := range c.alice.Since(0) {
		if content, ok := evt.Content.Parsed.(*event.MessageEventContent); ok && strings.Contains(content.Body, words) {
			t.Errorf("the room has %q", content.Body)
		}
	}
}
