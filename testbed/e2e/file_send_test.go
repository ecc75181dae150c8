package e2e_test

import (
	"bytes"
	"image/jpeg"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"golang.org/x/image/webp"
	"maunium.net/go/mautrix/event"

	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
	"postern/testbed/whatsapp"
)

func TestFilesOfAUserArriveAsTheyAre(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	for _, test := range []struct {
		name    string
		options matrixuser.FileOptions
		right   func(message *waE2E.Message) bool
	}{
		{"picture with a caption", matrixuser.FileOptions{
			MsgType: event.MsgImage, FileName: "gate.jpg", MimeType: "image/jpeg", Caption: "the gate", Data: jpegOf(t, 320, 240),
			Info: &event.FileInfo{Width: 320, Height: 240},
		}, func(message *waE2E.Message) bool {
			image := message.GetImageMessage()
			return image.GetCaption() == "the gate" && image.GetMimetype() == "image/jpeg" && image.GetWidth() == 320 &&
				image.GetHeight() == 240 && isThumbnail(image.GetJPEGThumbnail())
		}},
		{"video with a thumbnail", matrixuser.FileOptions{
			MsgType: event.MsgVideo, FileName: "film.mp4", MimeType: "video/mp4", Data: fileLike(filmStart, 200_000),
			Info: &event.FileInfo{Width: 640, Height: 480}, Duration: 9 * time.Second, Thumbnail: jpegOf(t, 300, 200),
		}, func(message *waE2E.Message) bool {
			video := message.GetVideoMessage()
			return video.Caption == nil && video.GetMimetype() == "video/mp4" && video.GetWidth() == 640 && video.GetHeight() == 480 &&
				video.GetSeconds() == 9 && !video.GetGifPlayback() && isThumbnail(video.GetJPEGThumbnail())
		}},
		{"audio", matrixuser.FileOptions{
			MsgType: event.MsgAudio, FileName: "song.mp3", MimeType: "audio/mpeg", Data: fileLike(songStart, 30_000), Duration: 200 * time.Second,
		}, func(message *waE2E.Message) bool {
			audio := message.GetAudioMessage()
			return !audio.GetPTT() && audio.GetMimetype() == "audio/mpeg" && audio.GetSeconds() == 200
		}},
		{"voice message", matrixuser.FileOptions{
			MsgType: event.MsgAudio, FileName: "voice.ogg", MimeType: "audio/ogg", Data: fileLike(recordingStart, 10_001),
			Duration: 3 * time.Second, Voice: true, Waveform: slices.Repeat([]int{0, 256, 512, 1024}, 16),
		}, func(message *waE2E.Message) bool {
			audio := message.GetAudioMessage()
			return audio.GetPTT() && audio.GetMimetype() == "audio/ogg; codecs=opus" && audio.GetSeconds() == 3 &&
				bytes.Equal(audio.GetWaveform(), slices.Repeat([]byte{0, 25, 50, 100}, 16))
		}},
		{"document with a caption", matrixuser.FileOptions{
			MsgType: event.MsgFile, FileName: "the plan.pdf", MimeType: "application/pdf", Caption: "read this", Data: fileLike(paperStart, 50_000),
		}, func(message *waE2E.Message) bool {
			document := message.GetDocumentMessage()
			return document.GetFileName() == "the plan.pdf" && document.GetMimetype() == "application/pdf" && document.GetCaption() == "read this"
		}},
		{"document of a single byte", matrixuser.FileOptions{
			MsgType: event.MsgFile, FileName: "x.txt", MimeType: "text/plain", Data: []byte("x"),
		}, func(message *waE2E.Message) bool { return message.GetDocumentMessage().GetFileName() == "x.txt" }},
		{"picture that WhatsApp does not show", matrixuser.FileOptions{
			MsgType: event.MsgImage, FileName: "gate.svg", MimeType: "image/svg+xml", Data: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"),
		}, func(message *waE2E.Message) bool { return message.GetDocumentMessage().GetFileName() == "gate.svg" }},
		{"sticker", matrixuser.FileOptions{
			FileName: "a cat", MimeType: "image/webp", Data: fileLike(stickerStart, 20_000),
		}, func(message *waE2E.Message) bool { return message.GetStickerMessage().GetMimetype() == "image/webp" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			mark := bob.Device().Mark()
			sent := alice.sendsFile(t, ctx, room, test.options)
			message := hearsNext(t, ctx, bob, mark)
			if !test.right(message.Message) {
				t.Errorf("it arrived as %v", message.Message)
			}
			if got := downloads(t, ctx, bob, message); !bytes.Equal(got, test.options.Data) {
				t.Errorf("the file of %d bytes that came is not the one of %d bytes that was sent", len(got), len(test.options.Data))
			}
			if path := whatsapp.FileOf(message.Message).GetDirectPath(); !strings.HasPrefix(path, "/interop/whatsapp/download/1/") {
				t.Errorf("the contact fetched it from %s", path)
			}
			if _, err := alice.Wait(ctx, "success", matrixuser.StatusOf(sent, event.MessageStatusSuccess)); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := s.Gatekeeper.WaitSaw(ctx, 0, "download from the partner server", func(saw sandbox.Record) bool {
		return saw.Kind == "media partner download" && saw.Size > 200_000
	}); err != nil {
		t.Error(err)
	}
}

// isThumbnail wants a JPEG that fits into a message.
func isThumbnail(data []byte) bool {
	picture, err := jpeg.Decode(bytes.NewReader(data))
	return err == nil && max(picture.Bounds().Dx(), picture.Bounds().Dy()) == 100 && len(data) <= 16<<10
}

func TestFilesThatWhatsAppDoesNotPlayAreConverted(t *testing.T) {
	needFFmpeg(t)
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	carries := func(t *testing.T, options matrixuser.FileOptions) (*waE2E.Message, []byte) {
		t.Helper()
		mark := bob.Device().Mark()
		alice.sendsFile(t, ctx, room, options)
		message := hearsNext(t, ctx, bob, mark)
		file := downloads(t, ctx, bob, message)
		checkPlayable(t, file)
		return message.Message, file
	}
	t.Run("voice message in MP4", func(t *testing.T) {
		message, file := carries(t, matrixuser.FileOptions{
			MsgType: event.MsgAudio, FileName: "voice.m4a", MimeType: "audio/mp4", Data: soundOf(t, "m4a", "2"),
			Voice: true, Waveform: []int{0, 1024}, Duration: 2 * time.Second,
		})
		audio := message.GetAudioMessage()
		if !audio.GetPTT() || audio.GetMimetype() != "audio/ogg; codecs=opus" || audio.GetSeconds() != 2 || len(audio.GetWaveform()) != 64 ||
			!bytes.HasPrefix(file, []byte("OggS")) || !bytes.Contains(file[:64], []byte("OpusHead")) {
			t.Errorf("it arrived as %v, beginning with %q", message, file[:64])
		}
	})
	t.Run("GIF", func(t *testing.T) {
		message, file := carries(t, matrixuser.FileOptions{
			MsgType: event.MsgImage, FileName: "dance.gif", MimeType: "image/gif", Caption: "dance", Data: gifOf(t, 64, 48),
		})
		video := message.GetVideoMessage()
		if !video.GetGifPlayback() || video.GetCaption() != "dance" || video.GetWidth() != 64 || video.GetHeight() != 48 ||
			http.DetectContentType(file) != "video/mp4" {
			t.Errorf("it arrived as %v, beginning with %q", message, file[:64])
		}
	})
	t.Run("PNG as a sticker", func(t *testing.T) {
		message, file := carries(t, matrixuser.FileOptions{FileName: "a cat", MimeType: "image/png", Data: pngOf(t, 200, 100)})
		sticker := message.GetStickerMessage()
		picture, err := webp.DecodeConfig(bytes.NewReader(file))
		if err != nil || picture.Width != 512 || picture.Height != 512 || sticker.GetMimetype() != "image/webp" ||
			sticker.GetWidth() != 512 || sticker.GetHeight() != 512 {
			t.Errorf("it arrived as %v, of %+v, %v", message, picture, err)
		}
	})
}

func TestAPlaceOfAUserArrives(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	mark := bob.Device().Mark()
	if _, err := alice.SendLocation(ctx, room, "geo:52.516275,-13.377704;u=20", "the gate"); err != nil {
		t.Fatal(err)
	}
	place := hearsNext(t, ctx, bob, mark).Message.GetLocationMessage()
	if place.GetDegreesLatitude() != 52.516275 || place.GetDegreesLongitude() != -13.377704 || place.GetName() != "the gate" {
		t.Errorf("the place is %v", place)
	}
}

func TestContactCardsOfAUserArrive(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	carol, dave := vcardOf("Carol", "+4930111"), vcardOf("Dave", "+4930222")
	sends := func(data string) *waE2E.Message {
		mark := bob.Device().Mark()
		alice.sendsFile(t, ctx, room, matrixuser.FileOptions{
			MsgType: event.MsgFile, FileName: "people.vcf", MimeType: "text/vcard", Data: []byte(data),
		})
		return hearsNext(t, ctx, bob, mark).Message
	}
	if card := sends(carol).GetContactMessage(); card.GetDisplayName() != "Carol" || card.GetVcard() != carol {
		t.Errorf("the card is %v", card)
	}
	cards := sends(carol + dave).GetContactsArrayMessage().GetContacts()
	if len(cards) != 2 || cards[1].GetDisplayName() != "Dave" || cards[1].GetVcard() != dave ||
		strings.TrimSpace(cards[0].GetVcard()) != strings.TrimSpace(carol) {
		t.Errorf("the cards are %v", cards)
	}
}

func TestALinkOfAUserArrivesWithItsPreview(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	text := unique("look") + " https://example.org/gate"
	if _, err := alice.Send(ctx, room, &event.MessageEventContent{
		MsgType: event.MsgText, Body: text,
		BeeperLinkPreviews: []*event.BeeperLinkPreview{{
			MatchedURL: "https://example.org/gate", LinkPreview: event.LinkPreview{Title: "The gate", Description: "All about it"},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	message, err := bob.Device().WaitMessage(ctx, text)
	if err != nil {
		t.Fatal(err)
	}
	link := message.Message.GetExtendedTextMessage()
	if link.GetMatchedText() != "https://example.org/gate" || link.GetTitle() != "The gate" || link.GetDescription() != "All about it" {
		t.Errorf("the link is %v", link)
	}
}
