package e2e_test

import (
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/whatsapp"
)

func TestFilesOfAContactArriveAsTheyAre(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	waveform := slices.Repeat([]byte{0, 25, 50, 100}, 16)
	thumbnail := jpegOf(t, 64, 48)
	for _, test := range []struct {
		name    string
		kind    whatsmeow.MediaType
		file    []byte
		options whatsapp.MediaOptions
		shown   event.MessageType
		right   func(content *event.MessageEventContent, info *event.FileInfo) bool
	}{
		{"picture with a caption", whatsmeow.MediaImage, jpegOf(t, 320, 240), whatsapp.MediaOptions{
			MimeType: "image/jpeg", Caption: "the *gate*", Thumbnail: thumbnail,
		}, event.MsgImage, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.GetCaption() == "the *gate*" && content.FormattedBody == "the <strong>gate</strong>" &&
				content.FileName == "image.jpg" && info.MimeType == "image/jpeg" && info.Width == 320 && info.Height == 240
		}},
		{"picture that is another kind than it says", whatsmeow.MediaImage, pngOf(t, 50, 40), whatsapp.MediaOptions{
			MimeType: "image/jpeg", Width: 9999, Height: 1,
		}, event.MsgImage, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.GetCaption() == "" && info.MimeType == "image/png" && info.Width == 50 && info.Height == 40
		}},
		{"video", whatsmeow.MediaVideo, fileLike(filmStart, 200_000), whatsapp.MediaOptions{
			MimeType: "video/mp4", Caption: "the film", Width: 640, Height: 480, Seconds: 9, Thumbnail: thumbnail,
		}, event.MsgVideo, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.GetCaption() == "the film" && content.FileName == "video.mp4" && info.MimeType == "video/mp4" &&
				info.Width == 640 && info.Height == 480 && info.Duration == 9000 && !info.MauGIF
		}},
		{"GIF", whatsmeow.MediaVideo, fileLike(filmStart, 30_000), whatsapp.MediaOptions{
			MimeType: "video/mp4", GIF: true, Thumbnail: thumbnail,
		}, event.MsgVideo, func(_ *event.MessageEventContent, info *event.FileInfo) bool {
			return info.MauGIF && info.Extra["fi.mau.loop"] == true && info.Extra["fi.mau.no_audio"] == true
		}},
		{"round video", whatsmeow.MediaVideo, fileLike(filmStart, 30_000), whatsapp.MediaOptions{
			MimeType: "video/mp4", Round: true, Seconds: 5, Width: 400, Height: 400,
		}, event.MsgVideo, func(_ *event.MessageEventContent, info *event.FileInfo) bool {
			return info.Duration == 5000 && info.Width == 400 && info.Height == 400
		}},
		{"audio", whatsmeow.MediaAudio, fileLike(songStart, 30_000), whatsapp.MediaOptions{
			MimeType: "audio/mpeg", Seconds: 200,
		}, event.MsgAudio, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.MSC3245Voice == nil && content.FileName == "audio.mp3" && info.MimeType == "audio/mpeg" && info.Duration == 200_000
		}},
		{"voice message", whatsmeow.MediaAudio, fileLike(recordingStart, 10_001), whatsapp.MediaOptions{
			MimeType: "audio/ogg; codecs=opus", Seconds: 3, PTT: true, Waveform: waveform,
		}, event.MsgAudio, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.MSC3245Voice != nil && content.MSC1767Audio != nil && content.MSC1767Audio.Duration == 3000 && info.Duration == 3000 &&
				slices.Equal(content.MSC1767Audio.Waveform, slices.Repeat([]int{0, 256, 512, 1024}, 16)) &&
				content.FileName == "voice.ogg" && info.MimeType == "audio/ogg"
		}},
		{"document with a caption", whatsmeow.MediaDocument, fileLike(paperStart, 50_000), whatsapp.MediaOptions{
			MimeType: "application/pdf", FileName: "the plan.pdf", Caption: "read this", Thumbnail: thumbnail,
		}, event.MsgFile, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.FileName == "the plan.pdf" && content.GetCaption() == "read this" && info.MimeType == "application/pdf"
		}},
		{"document of a single byte", whatsmeow.MediaDocument, []byte("x"), whatsapp.MediaOptions{
			MimeType: "text/plain", FileName: "x.txt",
		}, event.MsgFile, func(content *event.MessageEventContent, info *event.FileInfo) bool {
			return content.FileName == "x.txt" && content.GetCaption() == "" && info.MimeType == "text/plain"
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			mark := alice.Mark()
			sendsFile(t, ctx, bob, alice, test.kind, test.file, test.options)
			content := alice.getsFile(t, ctx, mark, test.shown, test.file).Content.AsMessage()
			if content.Info.Size != len(test.file) || !test.right(content, content.Info) {
				t.Errorf("it arrived as %+v, %+v", content, content.Info)
			}
			if test.options.Thumbnail != nil {
				alice.seesThumbnail(t, ctx, content.Info, 64, 48)
			}
		})
	}
}

func TestAStickerOfAContactArrives(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	sticker := fileLike(stickerStart, 20_000)
	mark := alice.Mark()
	if _, err := bob.Device().SendSticker(ctx, alice.Address, sticker, true); err != nil {
		t.Fatal(err)
	}
	content := alice.getsFile(t, ctx, mark, "", sticker).Content.AsMessage()
	if info := content.Info; content.Body == "" || info.MimeType != "image/webp" || info.Width != 512 || info.Height != 512 || !info.IsAnimated {
		t.Errorf("the sticker is %+v, %+v", content, info)
	}
}

func TestAPlaceOfAContactArrives(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	name := unique("gate")
	if _, err := bob.Device().SendLocation(ctx, alice.Address, whatsapp.Location{
		Latitude: 52.516275, Longitude: -13.377704, Name: name, Address: "Pariser Platz",
	}); err != nil {
		t.Fatal(err)
	}
	evt := alice.receives(t, ctx, name)
	place, _ := evt.Content.Raw["org.matrix.msc3488.location"].(map[string]any)
	content := evt.Content.AsMessage()
	if content.MsgType != event.MsgLocation || content.GeoURI != "geo:52.516275,-13.377704" || place["uri"] != content.GeoURI {
		t.Errorf("the place is %+v, %v", content, place)
	}
}

func TestContactCardsOfAContactArrive(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	carol, dave, erin := vcardOf("Carol", "+4930111"), vcardOf("Dave", "+4930222"), vcardOf("Erin", "+4930333")

	mark := alice.Mark()
	if _, err := bob.Device().SendContact(ctx, alice.Address, "Carol", carol); err != nil {
		t.Fatal(err)
	}
	evt := alice.getsFile(t, ctx, mark, event.MsgFile, []byte(carol))
	content := evt.Content.AsMessage()
	if content.FileName != "Carol.vcf" || content.Info.MimeType != "text/vcard" || content.GetCaption() != "Contact: Carol" {
		t.Errorf("the card is %+v, %+v", content, content.Info)
	}

	if _, err := bob.Device().Send(ctx, alice.Address, &waE2E.Message{ContactsArrayMessage: &waE2E.ContactsArrayMessage{
		DisplayName: proto.String("2 contacts"),
		Contacts: []*waE2E.ContactMessage{
			{DisplayName: proto.String("Dave"), Vcard: &dave}, {DisplayName: proto.String("Erin"), Vcard: &erin},
		},
	}}); err != nil {
		t.Fatal(err)
	}
	alice.receives(t, ctx, "Contact: Erin")
	alice.seesFiles(t, ctx, evt.RoomID, []byte(carol), []byte(dave), []byte(erin))
}

func TestALinkOfAContactArrivesWithItsPreview(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	text := unique("look") + " https://example.org/gate"
	if _, err := bob.Device().Send(ctx, alice.Address, &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: &text, MatchedText: proto.String("https://example.org/gate"),
		Title: proto.String("The gate"), Description: proto.String("All about it"), JPEGThumbnail: jpegOf(t, 64, 48),
	}}); err != nil {
		t.Fatal(err)
	}
	evt, err := alice.Wait(ctx, "message with a link", matrixuser.MessageIn("", "", text))
	if err != nil {
		t.Fatal(err)
	}
	previews := evt.Content.AsMessage().BeeperLinkPreviews
	if len(previews) != 1 || previews[0].MatchedURL != "https://example.org/gate" || previews[0].Title != "The gate" || previews[0].Description != "All about it" {
		t.Fatalf("the previews are %+v", previews)
	}
	picture := previews[0]
	alice.seesThumbnail(t, ctx, &event.FileInfo{
		ThumbnailFile: picture.ImageEncryption, Blurhash: picture.ImageBlurhash, AnoaBlurhash: picture.ImageBlurhash,
		ThumbnailInfo: &event.FileInfo{
			MimeType: picture.ImageType, Size: int(picture.ImageSize), Width: int(picture.ImageWidth), Height: int(picture.ImageHeight),
		},
	}, 64, 48)
}
