package interop_test

import (
	"context"
	"testing"

	"go.mau.fi/whatsmeow/proto/waCommon"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
)

// TestEnvelopeTellsTheKind holds the stanza to what WhatsApp clients get.
func TestEnvelopeTellsTheKind(t *testing.T) {
	key := &waCommon.MessageKey{ID: proto.String("X")}
	for name, test := range map[string]struct {
		message                    *waE2E.Message
		kind, media, edit, onFault string
	}{
		"Text":     {text("x"), "text", "", "", ""},
		"Extended": {&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("x")}}, "text", "", "", ""},
		"Image":    {&waE2E.Message{ImageMessage: &waE2E.ImageMessage{}}, "media", "image", "", ""},
		"Preview": {&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
			Text: proto.String("x"), Title: proto.String("y"),
		}}, "media", "url", "", ""},
		"GIF":      {&waE2E.Message{VideoMessage: &waE2E.VideoMessage{GifPlayback: proto.Bool(true)}}, "media", "gif", "", ""},
		"Note":     {&waE2E.Message{PtvMessage: &waE2E.VideoMessage{}}, "text", "", "", ""},
		"Location": {&waE2E.Message{LocationMessage: &waE2E.LocationMessage{}}, "text", "", "", ""},
		"Contact":  {&waE2E.Message{ContactMessage: &waE2E.ContactMessage{}}, "media", "vcard", "", ""},
		"Contacts": {&waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{}}, "media", "contact_array", "", ""},
		"Caption": {&waE2E.Message{DocumentWithCaptionMessage: &waE2E.FutureProofMessage{
			Message: &waE2E.Message{DocumentMessage: &waE2E.DocumentMessage{}},
		}}, "media", "document", "", ""},
		"EditedCaption": {&waE2E.Message{EditedMessage: &waE2E.FutureProofMessage{Message: &waE2E.Message{
			ProtocolMessage: &waE2E.ProtocolMessage{
				Key: key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(),
				EditedMessage: &waE2E.Message{ImageMessage: &waE2E.ImageMessage{Caption: proto.String("y")}},
			},
		}}}, "text", "", "1", "hide"},
		"Poll":     {&waE2E.Message{PollCreationMessage: &waE2E.PollCreationMessage{}}, "poll", "", "", ""},
		"Vote":     {&waE2E.Message{PollUpdateMessage: &waE2E.PollUpdateMessage{}}, "poll", "", "", "hide"},
		"Voice":    {&waE2E.Message{AudioMessage: &waE2E.AudioMessage{PTT: proto.Bool(true)}}, "media", "ptt", "", ""},
		"Reaction": {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key, Text: proto.String("x")}}, "reaction", "", "", "hide"},
		"Unreact":  {&waE2E.Message{ReactionMessage: &waE2E.ReactionMessage{Key: key}}, "reaction", "", "7", "hide"},
		"Revoke": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: key, Type: waE2E.ProtocolMessage_REVOKE.Enum(),
		}}, "text", "", "7", "hide"},
		"Edit": {&waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Key: key, Type: waE2E.ProtocolMessage_MESSAGE_EDIT.Enum(), EditedMessage: text("y"),
		}}, "text", "", "1", "hide"},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, l := started(t)
			l.answerAlso(answers(newContact(t, bobJID, 1)))
			if err := s.Send(context.Background(), bobJID, "A", test.message, "ref of A"); err != nil {
				t.Fatal(err)
			}
			node := l.next("message")
			enc := childOf(node, "participants", "to", "enc")
			for what, pair := range map[string][2]any{
				"type": {node.Attrs["type"], test.kind}, "edit": {node.Attrs["edit"], test.edit},
				"mediatype": {enc.Attrs["mediatype"], test.media}, "decrypt-fail": {enc.Attrs["decrypt-fail"], test.onFault},
				"v": {enc.Attrs["v"], "2"}, "enc type": {enc.Attrs["type"], "pkmsg"},
			} {
				if got, _ := pair[0].(string); got != pair[1] {
					t.Errorf("%s: got %q, want %q", what, got, pair[1])
				}
			}
		})
	}
}
