package matrixuser_test

import (
	"testing"

	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
)

func TestUsersAnswerMessages(t *testing.T) {
	ctx, room, alice, bob := newChat(t)
	first, err := alice.SendText(ctx, room, "first")
	question := await(t, ctx, bob, matrixuser.MessageIn(room, alice.ID(), "first"), first, err)

	sent, err := bob.Reply(ctx, room, question, "answer")
	await(t, ctx, alice, matrixuser.ReplyTo(first), sent, err)

	sent, err = bob.React(ctx, room, first, "👍")
	await(t, ctx, alice, matrixuser.ReactionTo(first, "👍"), sent, err)
	gone, err := bob.Redact(ctx, room, sent)
	await(t, ctx, alice, matrixuser.RedactionOf(sent), gone, err)

	sent, err = alice.Edit(ctx, room, first, "second thoughts")
	edit := await(t, ctx, bob, matrixuser.EditOf(first), sent, err).Content.AsMessage()
	if edit.NewContent == nil || edit.NewContent.Body != "second thoughts" {
		t.Errorf("the edit is %+v", edit)
	}

	gone, err = alice.Redact(ctx, room, first)
	await(t, ctx, bob, matrixuser.RedactionOf(first), gone, err)
}

func TestUsersSendPlacesAndNotices(t *testing.T) {
	ctx, room, alice, bob := newChat(t)
	sent, err := alice.SendLocation(ctx, room, "geo:52.5,-13.25", "the gate")
	place := await(t, ctx, bob, matrixuser.MessageIn(room, alice.ID(), ""), sent, err)
	described, _ := place.Content.Raw["org.matrix.msc3488.location"].(map[string]any)
	if content := place.Content.AsMessage(); content.MsgType != event.MsgLocation || content.GeoURI != "geo:52.5,-13.25" || described["description"] != "the gate" {
		t.Errorf("the place is %+v, %v", content, described)
	}
	sent, err = alice.Send(ctx, room, &event.MessageEventContent{MsgType: event.MsgNotice, Body: "by the way"})
	await(t, ctx, bob, matrixuser.NoticeIn(room, alice.ID(), "by the way"), sent, err)
	if matrixuser.NoticeIn(room, alice.ID(), "")(place) {
		t.Error("a place is taken for a notice")
	}
}
