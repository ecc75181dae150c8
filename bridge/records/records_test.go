package records_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"postern/bridge/records"
	"postern/database"
	"postern/database/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

const (
	alice   = id.UserID("@alice:example.org")
	login   = networkid.UserLoginID("wa-77-1")
	other   = networkid.UserLoginID("wa-77-2")
	bob     = networkid.UserID("wa-491")
	stale   = networkid.UserID("wa-493") // a contact whom nobody writes to
	room    = id.RoomID("!chat:example.org")
	message = networkid.MessageID("in:wa-491:A")
)

// at has no more than microseconds, which is what is compared.
var at = time.Unix(1_760_000_000, 0).UTC()

// onEachDialect runs a test on bridgev2's tables in an empty database of each kind.
func onEachDialect(t *testing.T, test func(t *testing.T, tables *mxdatabase.Database, r records.Records)) {
	t.Helper()
	run := func(t *testing.T, raw *dbutil.Database) {
		tables := mxdatabase.New("", mxdatabase.MetaTypes{}, raw)
		must(t, tables.Upgrade(context.Background()))
		test(t, tables, records.New(tables.Database, ""))
	}
	t.Run("SQLite", func(t *testing.T) {
		raw, err := database.Open(context.Background(), "sqlite", filepath.Join(t.TempDir(), "postern.db"), zerolog.Nop())
		must(t, err)
		t.Cleanup(func() { _ = raw.Close() })
		run(t, raw)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		if raw := pgtest.Open(t); raw != nil {
			run(t, raw)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill stores a chat of alice with bob, one of somebody else with bob, and a contact whom nobody writes to.
func fill(t *testing.T, tables *mxdatabase.Database) {
	t.Helper()
	ctx := context.Background()
	must(t, tables.User.Insert(ctx, &mxdatabase.User{MXID: alice, ManagementRoom: "!own:example.org"}))
	must(t, tables.User.Insert(ctx, &mxdatabase.User{MXID: "@carol:example.org"}))
	for owner, id := range map[id.UserID]networkid.UserLoginID{alice: login, "@carol:example.org": other} {
		must(t, tables.UserLogin.Insert(ctx, &mxdatabase.UserLogin{UserMXID: owner, ID: id, RemoteName: "Some Messenger", SpaceRoom: "!space:example.org", Metadata: map[string]any{}}))
	}
	for ghost, name := range map[networkid.UserID]string{bob: "Bob", stale: "Nobody", "wa-77-1": ""} {
		must(t, tables.Ghost.Insert(ctx, &mxdatabase.Ghost{
			ID: ghost, Name: name, AvatarMXC: "mxc://example.org/a", Identifiers: []string{"tel:+491"}, Metadata: map[string]any{},
		}))
	}
	for receiver, mxid := range map[networkid.UserLoginID]id.RoomID{login: room, other: ""} {
		must(t, tables.Portal.Insert(ctx, &mxdatabase.Portal{
			PortalKey: networkid.PortalKey{ID: networkid.PortalID(bob), Receiver: receiver}, MXID: mxid, OtherUserID: bob,
			Disappear: mxdatabase.DisappearingSetting{Type: event.DisappearingTypeAfterSend, Timer: time.Hour}, Metadata: map[string]any{},
		}))
	}
	chat := networkid.PortalKey{ID: networkid.PortalID(bob), Receiver: login}
	must(t, tables.Message.Insert(ctx, &mxdatabase.Message{
		ID: message, MXID: "$first", Room: chat, SenderID: bob, Timestamp: at, EditCount: 2, Metadata: map[string]any{"note": true},
	}))
	must(t, tables.Message.Insert(ctx, &mxdatabase.Message{
		ID: "out:wa-491:B", MXID: "$second", Room: chat, SenderID: "wa-77-1", Timestamp: at.Add(time.Second),
		ReplyTo: networkid.MessageOptionalPartID{MessageID: message}, Metadata: map[string]any{},
	}))
	must(t, tables.Reaction.Upsert(ctx, &mxdatabase.Reaction{
		Room: chat, MessageID: message, SenderID: "wa-77-1", Emoji: "👍", MXID: "$reaction", Timestamp: at.Add(time.Minute), Metadata: map[string]any{},
	}))
	must(t, tables.DisappearingMessage.Put(ctx, &mxdatabase.DisappearingMessage{
		RoomID: room, EventID: "$first", Timestamp: at,
		DisappearingSetting: mxdatabase.DisappearingSetting{Type: event.DisappearingTypeAfterSend, Timer: time.Hour, DisappearAt: at.Add(time.Hour)},
	}))
	must(t, tables.UserPortal.Put(ctx, &mxdatabase.UserPortal{UserMXID: alice, LoginID: login, Portal: chat, LastRead: at}))
}

func TestAllThatIsStoredOfAUserIsFound(t *testing.T) {
	onEachDialect(t, func(t *testing.T, tables *mxdatabase.Database, r records.Records) {
		fill(t, tables)
		ctx := context.Background()
		if own, err := r.ManagementRoom(ctx, alice); own != "!own:example.org" || err != nil {
			t.Errorf("own room %q, %v", own, err)
		}
		if own, err := r.ManagementRoom(ctx, "@nobody:example.org"); own != "" || err != nil {
			t.Errorf("room of nobody %q, %v", own, err)
		}
		logins, err := r.Logins(ctx, alice)
		if err != nil || !slices.Equal(logins, []records.Login{{ID: login, Name: "Some Messenger", Space: "!space:example.org"}}) {
			t.Errorf("logins %+v, %v", logins, err)
		}
		if keys, err := r.ChatKeys(ctx, login); err != nil || len(keys) != 1 || keys[0].ID != networkid.PortalID(bob) || keys[0].Receiver != login {
			t.Errorf("chats %+v, %v", keys, err)
		}
		if gone, err := r.Disappearing(ctx, room); err != nil || !slices.Equal(gone, []id.EventID{"$first"}) {
			t.Errorf("messages that disappear %v, %v", gone, err)
		}
		chats, err := r.Chats(ctx, login)
		must(t, err)
		got, err := json.Marshal(chats)
		must(t, err)
		const want = `[{"contact":"wa-491","name":"Bob","identifiers":["tel:+491"],"picture":"mxc://example.org/a","room":"!chat:example.org",` +
			`"disappear_after_seconds":3600,"last_read":"2025-10-09T08:53:20Z",` +
			`"messages":[{"id":"in:wa-491:A","event":"$first","sender":"wa-491","time":"2025-10-09T08:53:20Z","edits":2,"notes":{"note":true},"disappears":"2025-10-09T09:53:20Z"},` +
			`{"id":"out:wa-491:B","event":"$second","sender":"wa-77-1","time":"2025-10-09T08:53:21Z","reply_to":"in:wa-491:A"}],` +
			`"reactions":[{"message":"in:wa-491:A","event":"$reaction","sender":"wa-77-1","emoji":"👍","time":"2025-10-09T08:54:20Z"}]}]`
		if compact(t, got) != compact(t, []byte(want)) {
			t.Errorf("chats\n%s, want\n%s", got, want)
		}
	})
}

// compact makes JSON of either database comparable: PostgreSQL writes spaces.
func compact(t *testing.T, content []byte) string {
	t.Helper()
	var value any
	must(t, json.Unmarshal(content, &value))
	again, err := json.Marshal(value)
	must(t, err)
	return string(again)
}

func TestContactsWhomNobodyWritesToAreErased(t *testing.T) {
	onEachDialect(t, func(t *testing.T, tables *mxdatabase.Database, r records.Records) {
		fill(t, tables)
		ctx := context.Background()
		if count, err := r.ChatsWith(ctx, bob); count != 2 || err != nil {
			t.Errorf("%d chats with bob, %v", count, err)
		}
		unused, err := r.UnusedContacts(ctx)
		if err != nil || !slices.Equal(unused, []networkid.UserID{stale}) {
			t.Fatalf("unused are %v, %v", unused, err)
		}
		must(t, r.EraseContact(ctx, stale))
		if left, err := tables.Ghost.GetByID(ctx, stale); left != nil || err != nil {
			t.Errorf("left is %+v, %v", left, err)
		}
		for _, receiver := range []networkid.UserLoginID{login, other} {
			must(t, tables.Portal.Delete(ctx, networkid.PortalKey{ID: networkid.PortalID(bob), Receiver: receiver}))
		}
		if unused, err = r.UnusedContacts(ctx); err != nil || !slices.Contains(unused, bob) {
			t.Errorf("unused are %v, %v", unused, err)
		}
	})
}
