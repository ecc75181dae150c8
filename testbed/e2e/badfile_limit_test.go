package e2e_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/testbed/matrixuser"
	"postern/testbed/stack"
	"postern/testbed/whatsapp"
)

// TestFilesOverTheLimitAreRefusedBothWays, and fetched when the admin raises the limit.
func TestFilesOverTheLimitAreRefusedBothWays(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	room := alice.startChat(t, ctx, bob.Phone)
	alice.isToldLimit(t, ctx, room, 100<<20)
	limitFiles(t, ctx, s, 1)
	alice.isToldLimit(t, ctx, room, 1<<20)

	file, mark := randomBytes(3<<19), alice.Mark()
	sendsPaper(t, ctx, bob, alice, file)
	notice := alice.getsNotice(t, ctx, mark, "a file named paper.pdf", "larger than the 1 MiB")
	sent := alice.sendsPaper(t, ctx, room, file)
	alice.isRefused(t, ctx, sent, "larger than this bridge carries")
	exact := randomBytes(1 << 20)
	sendsPaper(t, ctx, bob, alice, exact)
	alice.sendsPaper(t, ctx, room, exact)
	there, back := unique("there"), unique("back")
	alice.writes(t, ctx, room, there)
	hears(t, ctx, bob, there)
	hearsFiles(t, ctx, bob, exact)
	tells(t, ctx, bob, alice, back)
	alice.receives(t, ctx, back)
	alice.seesFiles(t, ctx, room, exact)

	// More than the homeserver takes.
	limitFiles(t, ctx, s, 2048)
	message, err := bob.Device().UploadMedia(ctx, whatsmeow.MediaVideo, bytes.NewReader(exact), whatsapp.MediaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	message.VideoMessage.FileLength = proto.Uint64(300 << 20)
	mark = alice.Mark()
	if _, err = bob.Device().Send(ctx, alice.Address, message); err != nil {
		t.Fatal(err)
	}
	alice.getsNotice(t, ctx, mark, "a video", "larger than the 256 MiB")

	mark = alice.Mark()
	retryByReaction(t, ctx, alice, notice)
	alice.getsFile(t, ctx, mark, event.MsgFile, file)
	if _, err = alice.WaitAfter(ctx, mark, "redaction of the notice", matrixuser.RedactionOf(notice.ID)); err != nil {
		t.Error(err)
	}
	// The command alone means all that is missing in the chat.
	alice.writes(t, ctx, room, "!postern retry")
	if _, err = alice.WaitAfter(ctx, mark, "answer", matrixuser.NoticeIn(room, "", failedAgain)); err != nil {
		t.Error(err)
	}
	alice.seesFiles(t, ctx, room, exact, file)
}

// limitFiles restarts the bridge with a limit in MiB.
func limitFiles(t *testing.T, ctx context.Context, s *stack.Stack, limit int) {
	t.Helper()
	withConfig(t, ctx, s, func(config map[string]any) {
		limits := config["limits"].(map[string]any)
		limits["file_mib"], limits["media_user_mib"] = limit, 0
	})
}

// withConfig restarts the bridge with a changed config.
func withConfig(t *testing.T, ctx context.Context, s *stack.Stack, change func(config map[string]any)) {
	t.Helper()
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.EditConfig(change); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestTheMediaHostCannotBeReached: what waits is fetched when it can.
func TestTheMediaHostCannotBeReached(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	alice, bob := newEnlisted(t, ctx, s, "alice"), newContact(t, ctx, s, "Bob", 1)
	restore := reconfigure(t, ctx, s, "media_url", "http://127.0.0.1:9")
	files := [][]byte{randomBytes(1000), randomBytes(2000)}
	var notices []*event.Event
	for _, file := range files {
		mark := alice.Mark()
		sendsPaper(t, ctx, bob, alice, file)
		notices = append(notices, alice.getsNotice(t, ctx, mark, "a file named paper.pdf", notHanded))
	}
	room, text := notices[0].RoomID, unique("behind")
	tells(t, ctx, bob, alice, text)
	alice.receives(t, ctx, text)
	restore()
	alice.waitPortal(t, ctx, room)
	alice.writes(t, ctx, room, "!postern retry")
	for _, notice := range notices {
		if _, err := alice.Wait(ctx, "redaction of the notice", matrixuser.RedactionOf(notice.ID)); err != nil {
			t.Error(err)
		}
	}
	alice.seesFiles(t, ctx, room, files...)
}

// isToldLimit waits until the room announces what works in it, with the largest file in bytes.
func (u *bridgeUser) isToldLimit(t *testing.T, ctx context.Context, room id.RoomID, limit int64) {
	t.Helper()
	evt, err := u.Wait(ctx, "capabilities of the room", func(evt *event.Event) bool {
		features, ok := evt.Content.Parsed.(*event.RoomFeatures)
		return ok && evt.RoomID == room && features.File[event.MsgFile] != nil && features.File[event.MsgFile].MaxSize == limit
	})
	if err != nil {
		t.Fatal(err)
	}
	features := evt.Content.Parsed.(*event.RoomFeatures)
	if !features.Reaction.Full() || !features.Reply.Full() || features.EditMaxAge == nil || features.EditMaxAge.Duration != 15*time.Minute {
		t.Errorf("the room announces %+v", features)
	}
}
