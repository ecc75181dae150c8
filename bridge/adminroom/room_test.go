package adminroom_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/adminroom"
	"postern/database"
	"postern/interop/clocktest"
)

// notebook is a room of admins: messages in their last state.
type notebook struct {
	messages []string
	sent     int
	away     bool
}

var errAway = errors.New("the homeserver is away")

func (n *notebook) Send(_ context.Context, content *event.MessageEventContent) (id.EventID, error) {
	n.sent++
	if n.away {
		return "", errAway
	}
	n.messages = append(n.messages, content.Body)
	return id.EventID(fmt.Sprint(len(n.messages) - 1)), nil
}

func (n *notebook) Edit(_ context.Context, replaced id.EventID, content *event.MessageEventContent) error {
	n.sent++
	if n.away {
		return errAway
	}
	var index int
	_, err := fmt.Sscan(string(replaced), &index)
	n.messages[index] = content.Body
	return err
}

// newsroom is an admin room whose clock and homeserver are the test's.
type newsroom struct {
	*adminroom.Room
	book  *notebook
	clock *clocktest.Clock
	kv    *database.KV
}

func newNewsroom(t *testing.T) *newsroom {
	t.Helper()
	r := &newsroom{book: &notebook{}, clock: clocktest.New(), kv: newDatabase(t).KV()}
	r.restart()
	return r
}

// newDatabase is an empty one in a file.
func newDatabase(t testing.TB) *database.Database {
	t.Helper()
	ctx := context.Background()
	raw, err := database.Open(ctx, "sqlite", filepath.Join(t.TempDir(), "postern.db"), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	db := database.New(raw, database.NewSecretKey(), zerolog.Nop())
	if err = db.Upgrade(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// restart is a kill and a new start.
func (r *newsroom) restart() {
	r.Room = adminroom.New(r.book, r.kv, r.clock)
	r.Load(context.Background())
}

// hear is Hear.
func (r *newsroom) hear(group, text string, once bool) {
	r.Hear(adminroom.News{Group: group, Text: text, Once: once})
}

// expect tells what is due and compares.
func (r *newsroom) expect(t *testing.T, messages ...string) {
	t.Helper()
	r.TellDue(context.Background())
	if len(r.book.messages) != len(messages) {
		t.Fatalf("%d messages instead of %d: %q", len(r.book.messages), len(messages), r.book.messages)
	}
	for i, want := range messages {
		for _, part := range strings.Split(want, "|") {
			if !strings.Contains(r.book.messages[i], part) {
				t.Errorf("message %d is %q and lacks %q", i, r.book.messages[i], part)
			}
		}
	}
}

func TestNewsOfOneGroupAreOneMessageForAWhile(t *testing.T) {
	r := newNewsroom(t)
	r.hear("token.wa", "No tokens.", false)
	r.expect(t, "No tokens.")
	for range 1000 {
		r.hear("token.wa", "No tokens.", false)
	}
	r.hear("full", "No room.", false)
	r.expect(t, "No tokens.", "No room.") // too soon to change the first
	r.clock.Advance(adminroom.NewsPause)
	r.expect(t, "No tokens.|1001 times", "No room.")
	if r.book.sent != 3 {
		t.Errorf("%d requests", r.book.sent)
	}
	r.clock.Advance(adminroom.NewsWindow)
	r.hear("token.wa", "No tokens.", false)
	r.expect(t, "1001 times", "No room.", "No tokens.")
}

func TestARestartDoesNotRepeatWhatTheAdminsWereTold(t *testing.T) {
	r := newNewsroom(t)
	r.hear("token.wa", "No tokens.", false)
	r.hear("outdated.wa", "Version 1.0.0 is too old.", true)
	r.expect(t, "Version|too old", "No tokens.")
	for range 3 {
		r.restart()
		r.hear("token.wa", "No tokens.", false)
		r.hear("outdated.wa", "Version 1.0.0 is too old.", true)
		r.clock.Advance(adminroom.NewsPause)
		r.TellDue(context.Background())
	}
	r.expect(t, "Version", "No tokens.|4 times")
	r.clock.Advance(30 * 24 * time.Hour)
	r.hear("outdated.wa", "Version 1.0.0 is too old.", true)
	r.expect(t, "1.0.0", "4 times")
	r.hear("outdated.wa", "Version 1.0.1 is too old.", true)
	r.expect(t, "1.0.0", "4 times", "1.0.1")
}

func TestNewsAreKeptOverAStopButDoNotGrowWhileTheHomeserverIsAway(t *testing.T) {
	r := newNewsroom(t)
	ctx := context.Background()
	r.book.away = true
	for i := range 10 * adminroom.MaxNewsGroups {
		r.hear(fmt.Sprint("limit.", i), "Somebody.", false)
		r.TellDue(ctx)
	}
	if r.Groups() != adminroom.MaxNewsGroups {
		t.Errorf("%d groups are remembered", r.Groups())
	}
	if r.book.sent != 1 {
		t.Errorf("%d requests to a homeserver that is away", r.book.sent)
	}
	r.clock.Advance(time.Hour)
	r.book.away = false
	r.TellDue(ctx)
	if len(r.book.messages) != adminroom.MaxNewsGroups || !strings.Contains(r.book.messages[0], fmt.Sprint(9*adminroom.MaxNewsGroups, " times")) {
		t.Errorf("%d messages, the first %q", len(r.book.messages), r.book.messages[0])
	}
	r.hear("new", "Something else.", false) // takes the place of what was told
	r.Save(ctx)
	r.restart()
	r.TellDue(ctx)
	if last := r.book.messages[len(r.book.messages)-1]; last != "Something else." || r.Groups() != adminroom.MaxNewsGroups {
		t.Errorf("after a restart the last is %q", last)
	}
}
