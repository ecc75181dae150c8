package e2e_test

import (
	"bytes"
	"context"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// TestElementShowsEveryKindWithoutAShield: everything that a contact and the bridge can write stands in the room as it would in a chat
// between two people with Element; before a restart of the app and after it, whether insecure devices are excluded or not.
func TestElementShowsEveryKindWithoutAShield(t *testing.T) {
	inBothModes(t, func(t *testing.T, excludeInsecure bool) {
		ctx, s := shared(t)
		alice, bob := newElementUser(t, ctx, s, "alice", excludeInsecure), newContact(t, ctx, s, "Bob", 1)
		room := alice.startChat(t, ctx, bob)
		alice.getsEveryKind(t, ctx, s, bob, room)
		last := alice.isWritten(t, ctx, bob)
		checkUnblemished(t, ctx, alice.User, alice.since, room, alice.Management)
		alice.reopens(t, ctx, last, room, alice.Management)
	})
}

// getsEveryKind lets the contact send one of each kind, and waits for each.
func (u *elementUser) getsEveryKind(t *testing.T, ctx context.Context, s *stack.Stack, contact *stack.Contact, room id.RoomID) {
	t.Helper()
	device, jid := contact.Device(), u.Address
	words := unique("words")
	target := must(device.SendText(ctx, jid, words))(t)
	shown := u.sees(t, ctx, 0, "target", matrixuser.MessageIn(room, "", words))
	for _, kind := range []struct {
		name  string
		send  func() (string, error)
		comes func(*event.Event) bool
	}{
		{"reply", func() (string, error) {
			quoted := must(device.WaitMessage(ctx, "hello"))(t)
			return device.SendReply(ctx, jid, whatsapp.QuoteOf(quoted), "reply of "+words)
		}, matrixuser.MessageIn(room, "", "reply of "+words)},
		{"reaction", func() (string, error) { return device.React(ctx, jid, target, true, "👍") }, matrixuser.ReactionTo(shown.ID, "")},
		{"edit", func() (string, error) { return device.Edit(ctx, jid, target, "edit of "+words) }, matrixuser.EditOf(shown.ID)},
		{"deletion", func() (string, error) { return device.Delete(ctx, jid, target) }, matrixuser.RedactionOf(shown.ID)},
		{"picture", u.media(ctx, contact, whatsmeow.MediaImage, jpegOf(t, 64, 48), whatsapp.MediaOptions{MimeType: "image/jpeg", Caption: "caption"}),
			matrixuser.FileIn(room, "", event.MsgImage)},
		{"file", u.media(ctx, contact, whatsmeow.MediaDocument, fileLike(paperStart, 1000), whatsapp.MediaOptions{MimeType: "application/pdf", FileName: "paper.pdf"}),
			matrixuser.FileIn(room, "", event.MsgFile)},
		{"voice message", u.media(ctx, contact, whatsmeow.MediaAudio, fileLike(recordingStart, 1000), whatsapp.MediaOptions{MimeType: "audio/ogg; codecs=opus", PTT: true, Seconds: 1}),
			matrixuser.FileIn(room, "", event.MsgAudio)},
		{"video", u.media(ctx, contact, whatsmeow.MediaVideo, fileLike(filmStart, 1000), whatsapp.MediaOptions{MimeType: "video/mp4", Seconds: 1}),
			matrixuser.FileIn(room, "", event.MsgVideo)},
		{"sticker", func() (string, error) { return device.SendSticker(ctx, jid, fileLike(stickerStart, 1000), false) },
			matrixuser.StickerIn(room, "")},
		{"location", func() (string, error) {
			return device.SendLocation(ctx, jid, whatsapp.Location{Latitude: 52.5, Longitude: 13.4})
		},
			func(evt *event.Event) bool {
				return matrixuser.MessageIn(room, "", "")(evt) && evt.Content.AsMessage().MsgType == event.MsgLocation
			}},
		{"contact card", func() (string, error) {
			return device.SendContact(ctx, jid, "Carol", vcardOf("Carol", "+4915100000000"))
		},
			matrixuser.MessageIn(room, "", "Carol")},
		{"kind that cannot be shown", func() (string, error) {
			return device.Send(ctx, jid, &waE2E.Message{EventMessage: &waE2E.EventMessage{Name: proto.String("Party")}})
		}, matrixuser.NoticeIn(room, "", "Party")},
		{"timer", func() (string, error) { return device.SetTimer(ctx, jid, 86400) }, matrixuser.NoticeIn(room, "", "deleted after")},
		{"end of the timer", func() (string, error) { return device.SetTimer(ctx, jid, 0) }, matrixuser.NoticeIn(room, "", "Turned off")},
		{"message that cannot be decrypted", func() (string, error) {
			if err := s.Gatekeeper.CorruptNext(ctx, jid.String()); err != nil {
				return "", err
			}
			return device.SendText(ctx, jid, "broken "+words)
		}, matrixuser.MessageIn(room, "", placeholder)},
		{"message that is sent again", func() (string, error) { return "", nil }, matrixuser.MessageIn(room, "", "broken "+words)},
		{"new security code", func() (string, error) {
			reinstall(t, contact)
			return contact.Device().SendText(ctx, jid, "anew "+words)
		}, matrixuser.NoticeIn(room, "", identityNotice)},
		{"message under the new code", func() (string, error) { return "", nil }, matrixuser.MessageIn(room, "", "anew "+words)},
		{"refusal of what the user sent", func() (string, error) {
			sent, err := u.Send(ctx, room, event.EventMessage, map[string]any{"msgtype": "org.example.hologram", "body": "hologram"})
			return sent.String(), err
		}, matrixuser.NoticeIn(room, s.Bot(), "was not bridged")},
		{"answer to a command", func() (string, error) {
			sent, err := u.SendText(ctx, room, "!postern help")
			return sent.String(), err
		}, matrixuser.MessageIn(room, s.Bot(), "")},
	} {
		mark := u.Mark()
		if _, err := kind.send(); err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
		if kind.name == "message that is sent again" || kind.name == "message under the new code" {
			mark = 0 // they follow by themselves
		}
		u.sees(t, ctx, mark, kind.name, kind.comes)
	}
}

func (u *elementUser) media(
	ctx context.Context, contact *stack.Contact, kind whatsmeow.MediaType, file []byte, options whatsapp.MediaOptions,
) func() (string, error) {
	return func() (string, error) {
		return contact.Device().SendMedia(ctx, u.Address, kind, bytes.NewReader(file), options)
	}
}
