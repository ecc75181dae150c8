package e2e_test

import (
	"context"
	"strings"
	"testing"
	"unicode"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

// TestNamesOfFilesAreMadeSafe for those who save them and those who read them, on both sides.
func TestNamesOfFilesAreMadeSafe(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	for name, want := range map[string]string{
		"../../etc/passwd":                "passwd",
		`C:\Windows\system32\evil.exe`:    "evil.exe",
		"/etc/cron.d/":                    "file.pdf",
		"a\r\nb\x00c\x1b[31m.pdf":         "abc[31m.pdf",
		"invoice\u202efdp.exe":            "invoicefdp.exe",
		"\u2066\u200b.\u2069.":            "file.pdf",
		".bashrc":                         "bashrc",
		"con.pdf":                         "_con.pdf",
		strings.Repeat("ü", 300) + ".pdf": strings.Repeat("ü", 116) + ".pdf",
	} {
		check := func(where, got string) {
			if got != want || strings.ContainsFunc(got, func(r rune) bool {
				return r == '/' || r == '\\' || unicode.In(r, unicode.Cc, unicode.Cf)
			}) {
				t.Errorf("%q %s is %q instead of %q", name, where, got, want)
			}
		}
		file, mark := randomBytes(100), alice.Mark()
		sendsFile(t, ctx, bob, alice, whatsmeow.MediaDocument, file, whatsapp.MediaOptions{FileName: name, MimeType: "application/pdf"})
		content := alice.getsFile(t, ctx, mark, event.MsgFile, file).Content.AsMessage()
		check("in the room", content.FileName)
		check("in the room's text", content.Body)

		mark = bob.Device().Mark()
		alice.sendsFile(t, ctx, room, matrixuser.FileOptions{MsgType: event.MsgFile, FileName: name, MimeType: "application/pdf", Data: file})
		document := hearsNext(t, ctx, bob, mark).Message.GetDocumentMessage()
		check("at the contact", document.GetFileName())
		check("as the contact's title", document.GetTitle())
	}
}

// TestPicturesThatWouldBeHugeDoNoHarm: the files are carried as they are, and no small picture is made of them.
func TestPicturesThatWouldBeHugeDoNoHarm(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	for what, bomb := range map[string][]byte{"JPEG": jpegBomb(t), "PNG": pngBomb(t), "nothing": []byte("no picture at all")} {
		t.Run(what, func(t *testing.T) {
			file, mark := fileLike(filmStart, 1000), alice.Mark()
			sendsFile(t, ctx, bob, alice, whatsmeow.MediaVideo, file, whatsapp.MediaOptions{MimeType: "video/mp4", Thumbnail: bomb})
			info := alice.getsFile(t, ctx, mark, event.MsgVideo, file).Content.AsMessage().Info
			if info.ThumbnailFile != nil || info.Blurhash != "" {
				t.Errorf("the video came with %+v", info)
			}
			link := unique("look") + " https://example.org"
			if _, err := bob.Device().Send(ctx, alice.Address, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
				Text: &link, MatchedText: proto.String("https://example.org"), Title: proto.String("Example"), JPEGThumbnail: bomb,
			}}); err != nil {
				t.Fatal(err)
			}
			previews := alice.receives(t, ctx, link).Content.AsMessage().BeeperLinkPreviews
			if len(previews) != 1 || previews[0].Title != "Example" || previews[0].ImageEncryption != nil {
				t.Errorf("the link came with %+v", previews)
			}

			// As a picture, and as what a Matrix client says is a small one.
			mark = bob.Device().Mark()
			alice.sendsFile(t, ctx, room, matrixuser.FileOptions{
				MsgType: event.MsgImage, FileName: "bomb.jpg", MimeType: "image/jpeg", Data: bomb, Thumbnail: bomb,
			})
			alice.sendsFile(t, ctx, room, matrixuser.FileOptions{
				MsgType: event.MsgImage, FileName: "bomb.jpg", MimeType: "image/jpeg", Data: bomb,
			})
			for range 2 {
				message, next, err := bob.Device().NextMessage(ctx, mark)
				if err != nil {
					t.Fatal(err)
				}
				mark = next
				if thumbnail := message.Message.GetImageMessage().GetJPEGThumbnail(); thumbnail != nil {
					t.Errorf("the picture came with a thumbnail of %d bytes", len(thumbnail))
				}
				if got := downloads(t, ctx, bob, message); string(got) != string(bomb) {
					t.Errorf("the picture came with %d bytes", len(got))
				}
			}
		})
	}
}

// TestDamagedFilesOfAUserAreNotSent: the sender is told, and nothing reaches the contact.
func TestDamagedFilesOfAUserAreNotSent(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	for _, test := range []struct {
		name   string
		damage func(content *event.MessageEventContent)
		reason string
	}{
		{"wrong hash", func(content *event.MessageEventContent) {
			content.File.Hashes.SHA256 = strings.Repeat("A", 43)
		}, "is damaged"},
		{"no hash", func(content *event.MessageEventContent) { content.File.Hashes.SHA256 = "" }, "is damaged"},
		{"no key", func(content *event.MessageEventContent) { content.File.Key.Key = "" }, "is damaged"},
		{"no such file", func(content *event.MessageEventContent) {
			content.File.URL = id.ContentURI{Homeserver: s.Homeserver.Domain(), FileID: "nothing"}.CUString()
		}, "does not have the file any more"},
		{"not encrypted", func(content *event.MessageEventContent) {
			content.URL, content.File = content.File.URL, nil
		}, "is not encrypted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			content, err := alice.UploadFile(ctx, matrixuser.FileOptions{MsgType: event.MsgFile, FileName: "paper.pdf", Data: randomBytes(100_000)})
			if err != nil {
				t.Fatal(err)
			}
			test.damage(content)
			sent, err := alice.Send(ctx, room, content)
			if err != nil {
				t.Fatal(err)
			}
			alice.isRefused(t, ctx, sent, test.reason)
		})
	}
	there := unique("there")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	if heard := bob.Device().Messages(); len(heard) != 1 {
		t.Errorf("the contact has %d messages", len(heard))
	}
}

// isRefused waits for the status and the notice that tell the user why something was not sent.
func (u *bridgeUser) isRefused(t *testing.T, ctx context.Context, sent id.EventID, reason string) {
	t.Helper()
	status, err := u.Wait(ctx, "failed status", matrixuser.StatusOf(sent, event.MessageStatusFail))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = u.Wait(ctx, "notice", func(evt *event.Event) bool {
		return matrixuser.NoticeIn(status.RoomID, u.stack.Bot(), reason)(evt) && matrixuser.ReplyTo(sent)(evt)
	}); err != nil {
		t.Error(err)
	}
}
