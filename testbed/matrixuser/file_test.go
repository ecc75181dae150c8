package matrixuser_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"time"

	"maunium.net/go/mautrix/crypto/attachment"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/homeserver"
	"postern/testbed/matrixuser"
	"postern/testbed/servertest"
)

// newChat starts a homeserver with two users in an encrypted chat.
func newChat(t *testing.T) (ctx context.Context, room id.RoomID, alice, bob *matrixuser.User) {
	t.Helper()
	server := servertest.Start(t, homeserver.Options{})
	alice, bob = newUser(t, server, "alice"), newUser(t, server, "bob")
	ctx = servertest.Context(t, servertest.Limit)
	room, err := alice.InviteToDirectChat(ctx, bob.ID(), true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = bob.Wait(ctx, "invitation", matrixuser.MembershipOf(room, bob.ID(), event.MembershipInvite)); err != nil {
		t.Fatal(err)
	}
	if err = bob.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "join", matrixuser.MembershipOf(room, bob.ID(), event.MembershipJoin)); err != nil {
		t.Fatal(err)
	}
	return ctx, room, alice, bob
}

// await waits until the user has the event that was sent without an error, and checks that it matches.
func await(t *testing.T, ctx context.Context, user *matrixuser.User, match func(*event.Event) bool, sent id.EventID, err error) *event.Event {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	evt, err := user.Wait(ctx, "event "+sent.String(), func(evt *event.Event) bool { return evt.ID == sent && match(evt) })
	if err != nil {
		t.Fatal(err)
	}
	return evt
}

func randomBytes(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.Read(content)
	return content
}

func TestUsersExchangeFiles(t *testing.T) {
	ctx, room, alice, bob := newChat(t)
	want, small := randomBytes(50_001), randomBytes(500)

	sent, err := alice.SendFile(ctx, room, matrixuser.FileOptions{
		MsgType: event.MsgImage, FileName: "gate.jpg", Caption: "the gate", MimeType: "image/jpeg", Data: want,
		Info: &event.FileInfo{Width: 640, Height: 480}, Thumbnail: small,
	})
	image := await(t, ctx, bob, matrixuser.FileIn(room, alice.ID(), event.MsgImage), sent, err).Content.AsMessage()
	if image.GetCaption() != "the gate" || image.FileName != "gate.jpg" || image.URL != "" ||
		image.Info.MimeType != "image/jpeg" || image.Info.Size != len(want) || image.Info.Width != 640 {
		t.Errorf("the image is %+v, %+v", image, image.Info)
	}
	if got, err := bob.DownloadFile(ctx, image); err != nil || !bytes.Equal(got, want) {
		t.Errorf("image: %d bytes, %v", len(got), err)
	}
	if got, err := bob.DownloadEncrypted(ctx, image.Info.ThumbnailFile); err != nil || !bytes.Equal(got, small) {
		t.Errorf("thumbnail: %d bytes, %v", len(got), err)
	}
	if stored, err := bob.StoredFile(ctx, image.File.URL); err != nil || len(stored) != len(want) || bytes.Equal(stored, want) {
		t.Errorf("the server has %d bytes, encrypted: %v, %v", len(stored), !bytes.Equal(stored, want), err)
	}

	sent, err = alice.SendFile(ctx, room, matrixuser.FileOptions{
		MsgType: event.MsgAudio, FileName: "voice.ogg", MimeType: "audio/ogg", Data: want, Voice: true, Waveform: []int{0, 512, 1024}, Duration: 3 * time.Second,
	})
	voice := await(t, ctx, bob, matrixuser.FileIn(room, alice.ID(), event.MsgAudio), sent, err).Content.AsMessage()
	if voice.MSC3245Voice == nil || voice.MSC1767Audio == nil || len(voice.MSC1767Audio.Waveform) != 3 || voice.Info.Duration != 3000 || voice.GetCaption() != "" {
		t.Errorf("the voice message is %+v, %+v", voice, voice.Info)
	}

	sent, err = alice.SendSticker(ctx, room, matrixuser.FileOptions{FileName: "a cat", MimeType: "image/webp", Data: small})
	sticker := await(t, ctx, bob, matrixuser.StickerIn(room, alice.ID()), sent, err).Content.AsMessage()
	if got, err := bob.DownloadFile(ctx, sticker); err != nil || !bytes.Equal(got, small) || sticker.Body != "a cat" {
		t.Errorf("sticker %q: %d bytes, %v", sticker.Body, len(got), err)
	}
}

func TestAnotherFileThanTheEventSaysIsRefused(t *testing.T) {
	ctx, room, alice, _ := newChat(t)
	sent, err := alice.SendFile(ctx, room, matrixuser.FileOptions{MsgType: event.MsgFile, FileName: "plan", Data: randomBytes(100)})
	plan := await(t, ctx, alice, matrixuser.FileIn(room, alice.ID(), event.MsgFile), sent, err).Content.AsMessage()
	other := attachment.NewEncryptedFile()
	other.EncryptInPlace(randomBytes(100))
	swapped := &event.EncryptedFileInfo{EncryptedFile: *other, URL: plan.File.URL}
	if _, err = alice.DownloadEncrypted(ctx, swapped); !errors.Is(err, attachment.ErrHashMismatch) {
		t.Errorf("got %v", err)
	}
	if _, err = alice.DownloadFile(ctx, &event.MessageEventContent{}); !errors.Is(err, matrixuser.ErrNoFile) {
		t.Errorf("an event without a file: %v", err)
	}
}

func TestALargeFileIsStreamed(t *testing.T) {
	ctx, room, alice, bob := newChat(t)
	const size = 40 << 20
	want, got := sha256.New(), sha256.New()
	sent, err := alice.SendFile(ctx, room, matrixuser.FileOptions{
		MsgType: event.MsgFile, FileName: "large", Reader: io.TeeReader(io.LimitReader(rand.Reader, size), want), Size: size,
	})
	large := await(t, ctx, bob, matrixuser.FileIn(room, alice.ID(), event.MsgFile), sent, err).Content.AsMessage()
	if err = bob.DownloadEncryptedTo(ctx, large.File, got); err != nil || !bytes.Equal(got.Sum(nil), want.Sum(nil)) || large.Info.Size != size {
		t.Errorf("%d bytes, %v", large.Info.Size, err)
	}
}
