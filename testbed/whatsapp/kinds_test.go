package whatsapp_test

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"postern/testbed/whatsapp"
)

func TestDevicesExchangePlacesAndContacts(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	id, err := bob.SendLocation(ctx, addressOf(carol), whatsapp.Location{Latitude: 52.5, Longitude: -13.25, Name: "Gate"})
	place := await(t, ctx, carol, id, err).Message.GetLocationMessage()
	if place.GetDegreesLatitude() != 52.5 || place.GetDegreesLongitude() != -13.25 || place.GetName() != "Gate" || place.Address != nil {
		t.Errorf("the place is %v", place)
	}
	const vcard = "BEGIN:VCARD\nVERSION:3.0\nFN:Dave\nEND:VCARD"
	id, err = bob.SendContact(ctx, addressOf(carol), "Dave", vcard)
	contact := await(t, ctx, carol, id, err).Message.GetContactMessage()
	if contact.GetDisplayName() != "Dave" || contact.GetVcard() != vcard {
		t.Errorf("the contact is %v", contact)
	}
}

func TestDevicesAnswerMessages(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	first, err := bob.SendText(ctx, addressOf(carol), "first")
	question := await(t, ctx, carol, first, err)

	id, err := carol.SendReply(ctx, addressOf(bob), whatsapp.QuoteOf(question), "answer")
	reply := await(t, ctx, bob, id, err).Message.GetExtendedTextMessage()
	if quoted := reply.GetContextInfo(); reply.GetText() != "answer" || quoted.GetStanzaID() != first || whatsapp.Text(quoted.GetQuotedMessage()) != "first" {
		t.Errorf("the reply is %v", reply)
	}

	for _, emoji := range []string{"👍", ""} {
		id, err = carol.React(ctx, addressOf(bob), first, false, emoji)
		reaction := await(t, ctx, bob, id, err).Message.GetReactionMessage()
		if reaction.GetText() != emoji || reaction.GetKey().GetID() != first || reaction.GetKey().GetFromMe() {
			t.Errorf("the reaction is %v", reaction)
		}
	}
	id, err = bob.React(ctx, addressOf(carol), first, true, "🎉")
	if own := await(t, ctx, carol, id, err).Message.GetReactionMessage(); !own.GetKey().GetFromMe() {
		t.Errorf("the reaction to an own message is %v", own)
	}

	_, err = bob.Edit(ctx, addressOf(carol), first, "second thoughts")
	if err != nil {
		t.Fatal(err)
	}
	_, err = carol.WaitMessageWhere(ctx, "edit", func(m *events.Message) bool {
		edit := m.Message.GetProtocolMessage()
		return edit.GetType() == waE2E.ProtocolMessage_MESSAGE_EDIT && edit.GetKey().GetID() == first && whatsapp.Text(edit.GetEditedMessage()) == "second thoughts"
	})
	if err != nil {
		t.Error(err)
	}

	id, err = bob.Delete(ctx, addressOf(carol), first)
	if revoked := await(t, ctx, carol, id, err).Message.GetProtocolMessage(); revoked.GetType() != waE2E.ProtocolMessage_REVOKE || revoked.GetKey().GetID() != first {
		t.Errorf("the deletion is %v", revoked)
	}
}

func TestADeviceSetsATimerOfAnyLength(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	id, err := bob.SetTimer(ctx, addressOf(carol), 12345)
	setting := await(t, ctx, carol, id, err).Message.GetProtocolMessage()
	if setting.GetType() != waE2E.ProtocolMessage_EPHEMERAL_SETTING || setting.GetEphemeralExpiration() != 12345 {
		t.Errorf("the setting is %v", setting)
	}
}

func TestADeviceChoosesTheIDOfAMessage(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	const chosen = "3EB0CAFE000000000000"
	id, err := bob.SendRaw(ctx, addressOf(carol), &waE2E.Message{Conversation: proto.String("mine")}, chosen)
	if message := await(t, ctx, carol, id, err); message.Info.ID != chosen || whatsapp.Text(message.Message) != "mine" {
		t.Errorf("got %s: %v", message.Info.ID, message.Message)
	}
}
