package e2e_test

import (
	"bytes"
	"context"
	"image/jpeg"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// sendsFile lets the contact's first device send a file to the user.
func sendsFile(
	t *testing.T, ctx context.Context, contact *stack.Contact, user *bridgeUser, kind whatsmeow.MediaType, file []byte,
	options whatsapp.MediaOptions,
) types.MessageID {
	t.Helper()
	sent, err := contact.Device().SendMedia(ctx, user.Address, kind, bytes.NewReader(file), options)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// sendsPaper is sendsFile for a document, which is a file like any other.
func sendsPaper(t *testing.T, ctx context.Context, contact *stack.Contact, user *bridgeUser, file []byte) types.MessageID {
	t.Helper()
	return sendsFile(t, ctx, contact, user, whatsmeow.MediaDocument, file, whatsapp.MediaOptions{
		FileName: "paper.pdf", MimeType: "application/pdf",
	})
}

// sendsFile sends a file, or a sticker if it has no type.
func (u *bridgeUser) sendsFile(t *testing.T, ctx context.Context, room id.RoomID, options matrixuser.FileOptions) id.EventID {
	t.Helper()
	send := u.SendFile
	if options.MsgType == "" {
		send = u.SendSticker
	}
	sent, err := send(ctx, room, options)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// sendsPaper is sendsFile for a file like any other.
func (u *bridgeUser) sendsPaper(t *testing.T, ctx context.Context, room id.RoomID, file []byte) id.EventID {
	t.Helper()
	return u.sendsFile(t, ctx, room, matrixuser.FileOptions{
		MsgType: event.MsgFile, FileName: "paper.pdf", MimeType: "application/pdf", Data: file,
	})
}

// getsFile waits for the first file of the type that someone else sends the user after the mark, and checks its bytes. "" is
// a sticker.
func (u *bridgeUser) getsFile(
	t *testing.T, ctx context.Context, mark record.Mark, kind event.MessageType, want []byte,
) *event.Event {
	t.Helper()
	match := matrixuser.FileIn("", "", kind)
	if kind == "" {
		match = matrixuser.StickerIn("", "")
	}
	evt, err := u.WaitAfter(ctx, mark, "file of type "+string(kind), func(evt *event.Event) bool {
		return match(evt) && evt.Sender != u.ID()
	})
	if err != nil {
		t.Fatal(err)
	}
	content := evt.Content.AsMessage()
	if content.URL != "" {
		t.Error("the homeserver has the file in plain as well")
	}
	if got := u.downloads(t, ctx, content.File); !bytes.Equal(got, want) {
		t.Errorf("the file of %d bytes that came is not the one of %d bytes that was sent", len(got), len(want))
	}
	return evt
}

func (u *bridgeUser) downloads(t *testing.T, ctx context.Context, file *event.EncryptedFileInfo) []byte {
	t.Helper()
	got, err := u.DownloadEncrypted(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// seesThumbnail checks that a file has a small picture, which is a JPEG of the size, and a blurhash.
func (u *bridgeUser) seesThumbnail(t *testing.T, ctx context.Context, info *event.FileInfo, width, height int) {
	t.Helper()
	if info.ThumbnailFile == nil || info.ThumbnailInfo == nil {
		t.Error("there is no thumbnail")
		return
	}
	thumbnail := u.downloads(t, ctx, info.ThumbnailFile)
	picture, err := jpeg.Decode(bytes.NewReader(thumbnail))
	if err != nil {
		t.Errorf("the thumbnail is no JPEG: %v", err)
		return
	}
	about := info.ThumbnailInfo
	if size := picture.Bounds().Size(); size.X != width || size.Y != height || about.Width != width || about.Height != height ||
		about.Size != len(thumbnail) || about.MimeType != "image/jpeg" {
		t.Errorf("the thumbnail of %s and %d bytes is said to be %+v", size, len(thumbnail), about)
	}
	if len(info.Blurhash) < 6 || info.Blurhash != info.AnoaBlurhash {
		t.Errorf("the blurhash is %q and %q", info.Blurhash, info.AnoaBlurhash)
	}
}

// seesFiles wants these files in the room, in this order, each once and whole. The user's own are left out, and stickers.
func (u *bridgeUser) seesFiles(t *testing.T, ctx context.Context, room id.RoomID, want ...[]byte) {
	t.Helper()
	stored, err := u.Transcript(ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	var got [][]byte
	for _, message := range stored {
		if file := message.Content.AsMessage().File; file != nil && message.Sender != u.ID() {
			got = append(got, u.downloads(t, ctx, file))
		}
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("the room has the files %v instead of %v", placesOf(got, want), placesOf(want, want))
	}
}

// hearsFiles is the same for all that the contact's first device received.
func hearsFiles(t *testing.T, ctx context.Context, contact *stack.Contact, want ...[]byte) {
	t.Helper()
	var got [][]byte
	for _, message := range contact.Device().Messages() {
		if whatsapp.FileOf(message.Message) != nil {
			got = append(got, downloads(t, ctx, contact, message))
		}
	}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("the contact has the files %v instead of %v", placesOf(got, want), placesOf(want, want))
	}
}

// hearsNext waits for the next message that the contact's first device gets after the mark.
func hearsNext(t *testing.T, ctx context.Context, contact *stack.Contact, mark record.Mark) *events.Message {
	t.Helper()
	message, _, err := contact.Device().NextMessage(ctx, mark)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

func downloads(t *testing.T, ctx context.Context, contact *stack.Contact, message *events.Message) []byte {
	t.Helper()
	file, err := contact.Device().Download(ctx, message.Message)
	if err != nil {
		t.Fatalf("%v: %v", err, message.Message)
	}
	return file
}

// placesOf names files by their places among those that are wanted, from 0; -1 is another one.
func placesOf(files, wanted [][]byte) (places []int) {
	for _, file := range files {
		places = append(places, slices.IndexFunc(wanted, func(want []byte) bool { return bytes.Equal(want, file) }))
	}
	return places
}
