package e2e_test

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
)

// TestWhatCannotBeShownIsNamed: the user reads what the contact sent, and can ask for it in words.
func TestWhatCannotBeShownIsNamed(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	picture := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("secret")}}
	flagged := &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("secret"), ViewOnce: proto.Bool(true)}}
	future := &waE2E.Message{}
	future.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 9999, protowire.BytesType), []byte("tomorrow")))
	poll := c.bob.Device().Client.BuildPollCreation("Pizza?", []string{"yes", "no"}, 1)
	for _, test := range []struct {
		name    string
		message *waE2E.Message
		notice  string
	}{
		{"view once, wrapped", &waE2E.Message{ViewOnceMessageV2: &waE2E.FutureProofMessage{Message: picture}}, "Sent a picture that can be viewed once, which cannot be shown here."},
		{"view once, flagged", flagged, "Sent a picture that can be viewed once, which cannot be shown here."},
		{"poll", poll, "Sent a poll, which cannot be shown here.\nPizza?\n- yes\n- no"},
		{"event", &waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Party")}}, "Sent an event, which cannot be shown here.\nParty"},
		{"live location", &waE2E.Message{LiveLocationMessage: &waE2E.LiveLocationMessage{DegreesLatitude: proto.Float64(1), DegreesLongitude: proto.Float64(2)}}, "Sent a live location, which cannot be shown here."},
		{"order", &waE2E.Message{OrderMessage: &waE2E.OrderMessage{OrderID: proto.String("1")}}, "Sent an order, which cannot be shown here."},
		{"future kind", future, "Sent something, which cannot be shown here."},
	} {
		t.Run(test.name, func(t *testing.T) {
			mark := c.alice.Mark()
			must(c.bob.Device().Send(ctx, c.alice.Address, test.message))(t)
			notice := must(c.alice.WaitAfter(ctx, mark, "notice", matrixuser.NoticeIn(c.room, "", "Sent ")))(t)
			if got := notice.Content.AsMessage().Body; got != test.notice {
				t.Errorf("the notice is %q", got)
			}
			if notice.Sender == s.Bot() {
				t.Error("the notice is not in the contact's name")
			}
		})
	}
	c.checkNeverShown(t, "secret")
}

// TestWhatCannotBeSentIsRefused: the user is told, and nothing reaches the contact.
func TestWhatCannotBeSentIsRefused(t *testing.T) {
	ctx, s := shared(t)
	c := newConversation(t, ctx, s)
	poll := map[string]any{"question": map[string]any{"m.text": []any{map[string]any{"body": "Pizza?"}}}, "answers": []any{}}
	for kind, test := range map[string]struct {
		content any
		notice  string
	}{
		"m.poll.start":                  {map[string]any{"m.poll": poll}, "Your poll was not bridged: Polls cannot be sent"},
		"org.matrix.msc3381.poll.start": {map[string]any{"org.matrix.msc3381.poll.start": poll}, "Your poll was not bridged: Polls cannot be sent"},
		"m.room.message": {
			map[string]any{"msgtype": "org.example.hologram", "body": "a hologram"}, "Your message was not bridged: Messages of this kind cannot be sent",
		},
	} {
		t.Run(kind, func(t *testing.T) {
			sent := must(c.alice.Client.SendMessageEvent(ctx, c.room, event.NewEventType(kind), test.content))(t)
			c.alice.isTold(t, ctx, c.room, sent.EventID, test.notice)
		})
	}
	t.Run("m.beacon_info", func(t *testing.T) {
		c.letAliceModerate(t, ctx)
		live := map[string]any{"live": true, "timeout": 60_000, "m.asset": map[string]any{"type": "m.self"}}
		kind := event.Type{Type: "org.matrix.msc3672.beacon_info", Class: event.StateEventType}
		sent := must(c.alice.Client.SendStateEvent(ctx, c.room, kind, c.alice.ID().String(), live))(t)
		c.alice.isTold(t, ctx, c.room, sent.EventID, "Your live location was not bridged")
	})
	c.settle(t, ctx)
	for _, message := range c.bob.Device().Messages() {
		if proto.Size(message.Message) == 0 {
			t.Errorf("the contact got %v", message.RawMessage)
		}
	}
}
