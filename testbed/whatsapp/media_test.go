package whatsapp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"postern/testbed/sandbox"
	"postern/testbed/servertest"
	"postern/testbed/whatsapp"
)

// newPair starts a gatekeeper with two people who are online.
func newPair(t *testing.T) (ctx context.Context, server *sandbox.Server, bob, carol *whatsapp.Device) {
	t.Helper()
	ctx = servertest.Context(t, servertest.Limit)
	server = newSandbox(t, ctx)
	newAccounts(t, ctx, server)
	bob, carol = newDevice(t, ctx, server, bobPhone, "Bob"), newDevice(t, ctx, server, carolPhone, "Carol")
	connect(t, ctx, bob, carol)
	return ctx, server, bob, carol
}

func randomBytes(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

// await waits for the message with the id, which was sent without an error.
func await(t *testing.T, ctx context.Context, device *whatsapp.Device, id types.MessageID, err error) *events.Message {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	message, err := device.WaitMessageWhere(ctx, "message "+id, func(m *events.Message) bool { return m.Info.ID == id })
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func TestDevicesExchangeFiles(t *testing.T) {
	ctx, server, bob, carol := newPair(t)
	for name, test := range map[string]struct {
		kind    whatsmeow.MediaType
		options whatsapp.MediaOptions
		right   func(m *waE2E.Message) bool
	}{
		"an image": {whatsmeow.MediaImage, whatsapp.MediaOptions{
			Caption: "look", MimeType: "image/jpeg", Width: 640, Height: 480, Thumbnail: []byte("small"), Expiration: 86400,
		}, func(m *waE2E.Message) bool {
			image := m.GetImageMessage()
			return image.GetCaption() == "look" && image.GetMimetype() == "image/jpeg" && image.GetWidth() == 640 && image.GetHeight() == 480 &&
				string(image.GetJPEGThumbnail()) == "small" && image.GetContextInfo().GetExpiration() == 86400
		}},
		"a video": {whatsmeow.MediaVideo, whatsapp.MediaOptions{MimeType: "video/mp4", Seconds: 9, GIF: true}, func(m *waE2E.Message) bool {
			return m.GetVideoMessage().GetGifPlayback() && m.GetVideoMessage().GetSeconds() == 9 && m.GetVideoMessage().Caption == nil
		}},
		"a video note": {whatsmeow.MediaVideo, whatsapp.MediaOptions{MimeType: "video/mp4", Seconds: 5, Round: true}, func(m *waE2E.Message) bool {
			return m.GetPtvMessage().GetSeconds() == 5 && m.VideoMessage == nil
		}},
		"a voice message": {whatsmeow.MediaAudio, whatsapp.MediaOptions{PTT: true, Seconds: 3, Waveform: []byte{0, 50, 100}}, func(m *waE2E.Message) bool {
			return m.GetAudioMessage().GetPTT() && m.GetAudioMessage().GetSeconds() == 3 && len(m.GetAudioMessage().GetWaveform()) == 3
		}},
		"a document": {whatsmeow.MediaDocument, whatsapp.MediaOptions{FileName: "plan.pdf", MimeType: "application/pdf"}, func(m *waE2E.Message) bool {
			return m.GetDocumentMessage().GetFileName() == "plan.pdf" && m.GetDocumentMessage().Caption == nil
		}},
		"a document with words": {whatsmeow.MediaDocument, whatsapp.MediaOptions{FileName: "plan.pdf", Caption: "the plan"}, func(m *waE2E.Message) bool {
			return m.GetDocumentMessage().GetFileName() == "plan.pdf" && m.GetDocumentMessage().GetCaption() == "the plan"
		}},
	} {
		want := randomBytes(50_001)
		id, err := bob.SendMedia(ctx, addressOf(carol), test.kind, bytes.NewReader(want), test.options)
		message := await(t, ctx, carol, id, err)
		if !test.right(message.Message) {
			t.Errorf("%s arrived as %v", name, message.Message)
		}
		if got, err := carol.Download(ctx, message.Message); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	seen, err := server.WaitSaw(ctx, 0, "download", func(record sandbox.Record) bool { return record.Kind == "media download" })
	if err != nil || seen.Size <= 50_000 {
		t.Errorf("the gatekeeper saw %+v, %v", seen, err)
	}
}

func TestADeviceSendsAFileToBeLookedAtOnce(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	for _, kind := range []whatsmeow.MediaType{whatsmeow.MediaImage, whatsmeow.MediaVideo, whatsmeow.MediaAudio} {
		id, err := bob.SendMedia(ctx, addressOf(carol), kind, bytes.NewReader(randomBytes(100)), whatsapp.MediaOptions{ViewOnce: true})
		message := await(t, ctx, carol, id, err)
		if !message.IsViewOnce || whatsapp.FileOf(message.Message) == nil {
			t.Errorf("%s: view once: %v, %v", kind, message.IsViewOnce, message.Message)
		}
	}
}

func TestALargeFileIsDownloadedToADisk(t *testing.T) {
	ctx, _, bob, carol := newPair(t)
	want := randomBytes(20 << 20)
	id, err := bob.SendMedia(ctx, addressOf(carol), whatsmeow.MediaDocument, bytes.NewReader(want), whatsapp.MediaOptions{FileName: "large"})
	message := await(t, ctx, carol, id, err)
	file, err := os.Create(filepath.Join(servertest.Dir(t), "large"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err = carol.DownloadTo(ctx, message.Message, file); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestAForgottenFileCannotBeDownloaded(t *testing.T) {
	ctx, server, bob, carol := newPair(t)
	id, err := bob.SendSticker(ctx, addressOf(carol), randomBytes(100), true)
	message := await(t, ctx, carol, id, err)
	if sticker := message.Message.GetStickerMessage(); !sticker.GetIsAnimated() || sticker.GetMimetype() != "image/webp" {
		t.Errorf("the sticker is %v", sticker)
	}
	if got, err := carol.Download(ctx, message.Message); err != nil || len(got) != 100 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if count, err := server.ForgetMedia(ctx); err != nil || count != 1 {
		t.Errorf("forgot %d files, %v", count, err)
	}
	if _, err = carol.Download(ctx, message.Message); !errors.Is(err, whatsmeow.ErrMediaDownloadFailedWith404) {
		t.Errorf("got %v", err)
	}
	if _, err = carol.Download(ctx, &waE2E.Message{}); !errors.Is(err, whatsapp.ErrNoFile) {
		t.Errorf("a message without a file: %v", err)
	}
}

func TestADownloadByAPartnerIsSpoiled(t *testing.T) {
	ctx, server, bob, carol := newPair(t)
	id, err := bob.SendMedia(ctx, addressOf(carol), whatsmeow.MediaImage, bytes.NewReader(randomBytes(100)), whatsapp.MediaOptions{})
	message := await(t, ctx, carol, id, err)
	if err = server.SpoilMedia(ctx, sandbox.MediaError, 1); err != nil {
		t.Fatal(err)
	}
	if _, err = carol.Download(ctx, message.Message); err != nil {
		t.Errorf("a device was not spared: %v", err)
	}
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		response, err := http.Get(server.MediaURL().String() + message.Message.GetImageMessage().GetDirectPath())
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("status %d, want %d", response.StatusCode, want)
		}
	}
}
