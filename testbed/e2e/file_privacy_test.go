package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/leak"
	"postern/testbed/matrixuser"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// secretFiles collects what must not be found on any disk: parts of files, and their keys.
type secretFiles struct {
	t       *testing.T
	secrets []leak.Secret
}

// partSize is how long a part of a file is that is looked for, in bytes.
const partSize = 32

// add takes parts of a file from its beginning, its middle and its end, where buffers begin and end.
func (s *secretFiles) add(what string, file []byte) []byte {
	for place, offset := range map[string]int{"beginning": 64, "middle": len(file) / 2, "end": len(file) - partSize} {
		s.secrets = append(s.secrets, leak.Secret{What: place + " of " + what, Value: file[offset:][:partSize]})
	}
	return file
}

func (s *secretFiles) addMatrixKey(what string, file *event.EncryptedFileInfo) {
	s.t.Helper()
	key, err := base64.RawURLEncoding.DecodeString(file.Key.Key)
	if err != nil || len(key) == 0 {
		s.t.Fatalf("the key of %s is no key: %v", what, err)
	}
	s.secrets = append(s.secrets, leak.Secret{What: "Matrix key of " + what, Value: key})
}

func (s *secretFiles) addMediaKey(what string, message *waE2E.Message) {
	s.secrets = append(s.secrets, leak.Secret{What: "media key of " + what, Value: whatsapp.FileOf(message).GetMediaKey()})
}

// scan reads everything that the servers and the bridge wrote.
func (s *secretFiles) scan(installation *stack.Stack) {
	s.t.Helper()
	report(s.t, s.secrets, nil, installation.Dir("homeserver"), installation.Dir("gatekeeper"), installation.Dir("bridge"))
}

// TestNoFileAndNoKeyReachesTheDisk sends files both ways, whole ones, ones that wait and ones that could not be had.
func TestNoFileAndNoKeyReachesTheDisk(t *testing.T) {
	ctx, s := own(t, stack.Options{LogLevel: "trace"})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	secret := &secretFiles{t: t}

	// Both ways, with small pictures.
	back := secret.add("received picture", jpegOf(t, 320, 240))
	message, err := bob.Device().UploadMedia(ctx, whatsmeow.MediaImage, bytes.NewReader(back), whatsapp.MediaOptions{
		MimeType: "image/jpeg", Thumbnail: secret.add("received thumbnail", jpegOf(t, 64, 48)),
	})
	if err != nil {
		t.Fatal(err)
	}
	secret.addMediaKey("received picture", message)
	mark := alice.Mark()
	if _, err = bob.Device().Send(ctx, alice.Address, message); err != nil {
		t.Fatal(err)
	}
	received := alice.getsFile(t, ctx, mark, event.MsgImage, back).Content.AsMessage()
	secret.addMatrixKey("received picture", received.File)
	secret.addMatrixKey("received thumbnail", received.Info.ThumbnailFile)
	secret.add("stored thumbnail", alice.downloads(t, ctx, received.Info.ThumbnailFile))

	there := secret.add("sent picture", jpegOf(t, 320, 240))
	content, heard := alice.sendsSecretly(t, ctx, bob, room, secret, there)
	secret.add("sent thumbnail", heard.GetImageMessage().GetJPEGThumbnail())
	checkScanner(t, alice.ID().String(), s.Dir("homeserver"), s.Dir("gatekeeper"), s.Dir("bridge"))
	secret.scan(s)

	// The homeserver and the partner server have something else.
	for what, file := range map[string]*event.EncryptedFileInfo{"received": received.File, "sent": content.File} {
		stored, err := alice.StoredFile(ctx, file.URL)
		if err != nil || bytes.Equal(stored, back) || bytes.Equal(stored, there) {
			t.Errorf("the homeserver has the %s file in plain, or not at all: %v", what, err)
		}
	}
	hosted := hostedFiles(t, s)
	if len(hosted) != 1 || len(hosted[0]) <= len(there) {
		t.Errorf("the partner server has %d files", len(hosted))
	}

	// One that cannot be had is kept, to be fetched again.
	if err = s.Gatekeeper.SpoilMedia(ctx, sandbox.MediaMissing, 1); err != nil {
		t.Fatal(err)
	}
	missing := secret.add("missing file", randomBytes(10_000))
	message, err = bob.Device().UploadMedia(ctx, whatsmeow.MediaDocument, bytes.NewReader(missing), whatsapp.MediaOptions{FileName: "paper.pdf"})
	if err != nil {
		t.Fatal(err)
	}
	secret.addMediaKey("missing file", message)
	mark = alice.Mark()
	if _, err = bob.Device().Send(ctx, alice.Address, message); err != nil {
		t.Fatal(err)
	}
	notice := alice.getsNotice(t, ctx, mark, "a file named paper.pdf", notThere)

	// One that waits in the outbox, and one that the bridge is killed over.
	if err = s.Gatekeeper.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	waiting := secret.add("waiting file", randomBytes(1<<20))
	content, err = alice.UploadFile(ctx, matrixuser.FileOptions{MsgType: event.MsgFile, FileName: "waiting.bin", Data: waiting})
	if err != nil {
		t.Fatal(err)
	}
	secret.addMatrixKey("waiting file", content.File)
	sent, err := alice.Send(ctx, room, content)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = alice.Wait(ctx, "pending", matrixuser.StatusOf(sent, event.MessageStatusPending)); err != nil {
		t.Fatal(err)
	}
	s.Bridge.Kill()
	secret.scan(s)
	if err = s.Gatekeeper.Start(ctx); err != nil {
		t.Fatal(err)
	}
	heardMark := bob.Device().Mark()
	if err = s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	last := hearsNext(t, ctx, bob, heardMark)
	secret.addMediaKey("waiting file", last.Message)
	hearsFiles(t, ctx, bob, there, waiting)
	retryByReaction(t, ctx, alice, notice)
	alice.getsFile(t, ctx, mark, event.MsgFile, missing)
	secret.scan(s)
}

// sendsSecretly sends a picture, waits until the contact has it, and notes both keys.
func (u *bridgeUser) sendsSecretly(
	t *testing.T, ctx context.Context, to *stack.Contact, room id.RoomID, secret *secretFiles, picture []byte,
) (*event.MessageEventContent, *waE2E.Message) {
	t.Helper()
	content, err := u.UploadFile(ctx, matrixuser.FileOptions{
		MsgType: event.MsgImage, FileName: "gate.jpg", MimeType: "image/jpeg", Data: picture,
	})
	if err != nil {
		t.Fatal(err)
	}
	mark := to.Device().Mark()
	if _, err = u.Send(ctx, room, content); err != nil {
		t.Fatal(err)
	}
	message := hearsNext(t, ctx, to, mark)
	if !bytes.Equal(downloads(t, ctx, to, message), picture) {
		t.Error("the picture that came is not the one that was sent")
	}
	secret.addMatrixKey("sent picture", content.File)
	secret.addMediaKey("sent picture", message.Message)
	return content, message.Message
}

// hostedFiles returns what the partner server has for the gatekeeper, finished or not.
func hostedFiles(t *testing.T, s *stack.Stack) (files [][]byte) {
	t.Helper()
	dir := filepath.Join(s.Dir("bridge"), "media")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err == nil {
			files = append(files, content)
		} else if !errors.Is(err, fs.ErrNotExist) { // it has another name when it is whole
			t.Fatal(err)
		}
	}
	return files
}
