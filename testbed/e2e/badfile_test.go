package e2e_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/record"
	"postern/testbed/sandbox"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// What notices about files say.
const (
	damaged     = "The file arrived damaged."
	notThere    = "does not have the file any more"
	notHanded   = "did not hand the file out"
	notProperly = "does not say properly where its file is"
	again       = "answer this with `!postern retry`, or react with 🔁"
	failedAgain = "It did not work this time either."
	nothingToDo = "There is no file of this message to be fetched"
)

// getsNotice waits for the notice that takes a file's place. It says what was sent, what is wrong, and how to try again if
// that can help.
func (u *bridgeUser) getsNotice(t *testing.T, ctx context.Context, mark record.Mark, kind, reason string) *event.Event {
	t.Helper()
	notice, err := u.WaitAfter(ctx, mark, "notice about "+kind, matrixuser.NoticeIn("", "", "Sent "+kind+", which is missing here."))
	if err != nil {
		t.Fatal(err)
	}
	body := notice.Content.AsMessage().Body
	if !strings.Contains(body, reason) {
		t.Errorf("%q is missing in %q", reason, body)
	}
	if canTry := reason != notProperly; strings.Contains(body, again) != canTry {
		t.Errorf("another try can help: %v, and the notice is %q", canTry, body)
	}
	return notice
}

// The two ways to ask for another try.
type retryFunc func(t *testing.T, ctx context.Context, user *bridgeUser, notice *event.Event)

func retryByCommand(t *testing.T, ctx context.Context, user *bridgeUser, notice *event.Event) {
	t.Helper()
	if _, err := user.Reply(ctx, notice.RoomID, notice, "!postern retry"); err != nil {
		t.Fatal(err)
	}
}

func retryByReaction(t *testing.T, ctx context.Context, user *bridgeUser, notice *event.Event) {
	t.Helper()
	if _, err := user.React(ctx, notice.RoomID, notice.ID, "🔁"); err != nil {
		t.Fatal(err)
	}
}

// TestMessagesThatLieAboutTheirFiles: trying again never helps here, which is answered each time.
func TestMessagesThatLieAboutTheirFiles(t *testing.T) {
	ctx, s := shared(t)
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	for i, test := range []struct {
		name   string
		lie    func(file *waE2E.DocumentMessage)
		reason string
	}{
		{"wrong media key", func(file *waE2E.DocumentMessage) { file.MediaKey = randomBytes(32) }, damaged},
		{"wrong hash", func(file *waE2E.DocumentMessage) { file.FileSHA256 = randomBytes(32) }, damaged},
		{"wrong hash of the encrypted file", func(file *waE2E.DocumentMessage) { file.FileEncSHA256 = randomBytes(32) }, damaged},
		{"longer than it is", func(file *waE2E.DocumentMessage) { *file.FileLength += 1000 }, damaged},
		{"shorter than it is", func(file *waE2E.DocumentMessage) { *file.FileLength -= 1000 }, damaged},
		{"shorter by one byte", func(file *waE2E.DocumentMessage) { *file.FileLength-- }, damaged},
		{"4 GiB", func(file *waE2E.DocumentMessage) { *file.FileLength = 4 << 30 }, "The file is larger than the 100 MiB"},
		{"more than there is in the world", func(file *waE2E.DocumentMessage) { *file.FileLength = 1<<64 - 1 }, notProperly},
		{"no media key", func(file *waE2E.DocumentMessage) { file.MediaKey = nil }, notProperly},
		{"another server", func(file *waE2E.DocumentMessage) { file.DirectPath = proto.String("//example.org/v/t1/file.enc") }, notProperly},
		{"a file that does not exist", func(file *waE2E.DocumentMessage) { file.DirectPath = proto.String("/v/t62.7118-24/nothing.enc") }, notThere},
	} {
		t.Run(test.name, func(t *testing.T) {
			message, err := bob.Device().UploadMedia(ctx, whatsmeow.MediaDocument, bytes.NewReader(randomBytes(10_000)), whatsapp.MediaOptions{
				FileName: "paper.pdf", MimeType: "application/pdf",
			})
			if err != nil {
				t.Fatal(err)
			}
			test.lie(message.DocumentMessage)
			mark := alice.Mark()
			if _, err = bob.Device().Send(ctx, alice.Address, message); err != nil {
				t.Fatal(err)
			}
			notice := alice.getsNotice(t, ctx, mark, "a file named paper.pdf", test.reason)
			mark = alice.Mark()
			[]retryFunc{retryByCommand, retryByReaction}[i%2](t, ctx, alice, notice)
			want := []string{failedAgain, test.reason}
			if test.reason == notProperly {
				want = []string{nothingToDo}
			}
			answer, err := alice.WaitAfter(ctx, mark, "answer", matrixuser.NoticeIn(notice.RoomID, s.Bot(), ""))
			if err != nil {
				t.Fatal(err)
			}
			for _, words := range want {
				if body := answer.Content.AsMessage().Body; !strings.Contains(body, words) {
					t.Errorf("%q is missing in the answer %q", words, body)
				}
			}
		})
	}
	// None of it holds up what comes after it.
	text, file, mark := unique("after"), randomBytes(1000), alice.Mark()
	sendsPaper(t, ctx, bob, alice, file)
	tells(t, ctx, bob, alice, text)
	room := alice.getsFile(t, ctx, mark, event.MsgFile, file).RoomID
	alice.receives(t, ctx, text)
	alice.seesFiles(t, ctx, room, file)
}

// TestFilesThatCouldNotBeHadAreFetchedAgain: the file takes the place of its notice.
func TestFilesThatCouldNotBeHadAreFetchedAgain(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	var files [][]byte
	var room id.RoomID
	for _, test := range []struct {
		fault  sandbox.MediaFault
		tries  int // of the bridge, before it gives up
		reason string
		retry  retryFunc
	}{
		{sandbox.MediaTruncated, 3, notHanded, retryByCommand},
		{sandbox.MediaFlipped, 1, damaged, retryByReaction},
		{sandbox.MediaLonger, 1, damaged, retryByCommand},
		{sandbox.MediaShorter, 1, damaged, retryByReaction},
		{sandbox.MediaMissing, 1, notThere, retryByCommand},
		{sandbox.MediaError, 3, notHanded, retryByReaction},
	} {
		t.Run(string(test.fault), func(t *testing.T) {
			if err := s.Gatekeeper.SpoilMedia(ctx, test.fault, test.tries); err != nil {
				t.Fatal(err)
			}
			file, mark := jpegOf(t, 200, 150), alice.Mark()
			files = append(files, file)
			sendsFile(t, ctx, bob, alice, whatsmeow.MediaImage, file, whatsapp.MediaOptions{MimeType: "image/jpeg", Caption: "the gate"})
			notice := alice.getsNotice(t, ctx, mark, "a picture", test.reason)
			if body := notice.Content.AsMessage().Body; !strings.Contains(body, "the gate") {
				t.Errorf("the caption is missing in %q", body)
			}
			room = notice.RoomID
			alice.waitPortal(t, ctx, room)
			mark = alice.Mark()
			test.retry(t, ctx, alice, notice)
			shown := alice.getsFile(t, ctx, mark, event.MsgImage, file)
			if shown.Sender != notice.Sender || shown.Content.AsMessage().GetCaption() != "the gate" {
				t.Errorf("the file is from %s, the notice from %s: %+v", shown.Sender, notice.Sender, shown.Content.AsMessage())
			}
			if _, err := alice.WaitAfter(ctx, mark, "redaction of the notice", matrixuser.RedactionOf(notice.ID)); err != nil {
				t.Error(err)
			}
		})
	}
	alice.seesFiles(t, ctx, room, files...)
	// Two who ask at the same time get one file.
	t.Run("both ways at once", func(t *testing.T) {
		if err := s.Gatekeeper.SpoilMedia(ctx, sandbox.MediaMissing, 2); err != nil {
			t.Fatal(err)
		}
		file, mark := randomBytes(1000), alice.Mark()
		sendsPaper(t, ctx, bob, alice, file)
		notice := alice.getsNotice(t, ctx, mark, "a file named paper.pdf", notThere)
		retryByReaction(t, ctx, alice, notice)
		if _, err := alice.WaitAfter(ctx, mark, "answer", matrixuser.NoticeIn(room, "", failedAgain)); err != nil {
			t.Fatal(err)
		}
		retryByCommand(t, ctx, alice, notice)
		retryByCommand(t, ctx, alice, notice)
		alice.getsFile(t, ctx, mark, event.MsgFile, file)
		if _, err := alice.WaitAfter(ctx, mark, "answer", matrixuser.NoticeIn(room, "", nothingToDo)); err != nil {
			t.Error(err)
		}
		alice.seesFiles(t, ctx, room, append(files, file)...)
	})
}
