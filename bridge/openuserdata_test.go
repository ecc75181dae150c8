package bridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge"
	"postern/bridge/config"
	"postern/database"
	"postern/database/pgtest"
	"postern/portal"
)

const (
	contact  = networkid.UserID("wa-4915112345678")
	chatRoom = id.RoomID("!chat:example.org")
)

// enlisted is an installation where alice has a chat with a message.
func enlisted(t *testing.T, change ...func(*config.Config)) *installation {
	t.Helper()
	i := install(t, change...)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	ctx, db := context.Background(), i.daemon.Tables()
	row := &mxdatabase.Ghost{ID: contact, Name: "Bob", Identifiers: []string{"tel:+4915112345678"}, Metadata: map[string]any{}}
	if err := db.Ghost.Insert(ctx, row); err != nil {
		t.Fatal(err)
	}
	key := portal.Key(login, contact)
	if err := db.Portal.Insert(ctx, &mxdatabase.Portal{PortalKey: key, MXID: chatRoom, OtherUserID: contact, Metadata: map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	for _, message := range []networkid.MessageID{"in:wa-4915112345678:A", "out:wa-4915112345678:B"} {
		err := db.Message.Insert(ctx, &mxdatabase.Message{
			ID: message, MXID: id.EventID("$" + message), Room: key, SenderID: contact, SenderMXID: alice, Timestamp: time.Now(), Metadata: map[string]any{},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// enlistment returns alice's.
func (i *installation) enlistment() *database.Enlistment {
	i.t.Helper()
	enlistment, err := i.daemon.Network().Database.Enlistments().Find(context.Background(), wa, string(alice))
	if err != nil {
		i.t.Fatal(err)
	}
	return enlistment
}

func TestExportHoldsAllButKeysAndContent(t *testing.T) {
	i := enlisted(t)
	content, err := bridge.ExportUser(context.Background(), i.cfg, alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		string(alice), string(contact), string(chatRoom), "in:wa-4915112345678:A", "out:wa-4915112345678:B", "tel:+4915112345678",
		"Enlisting with Some Messenger", `"state": "enlisted"`, string(login), "Private keys are left out",
	} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the export does not hold %q", want)
		}
	}
	if !json.Valid(content) {
		t.Error("the export is not JSON")
	}
	keys := i.enlistment().Keys
	for _, form := range []string{"%x", "%v"} {
		if text := fmt.Sprintf(form, keys.Noise.Priv); strings.Contains(string(content), text) {
			t.Error("the export holds a private key")
		}
	}
	if _, err = bridge.ExportUser(context.Background(), i.cfg, "@nobody:example.org"); !errors.Is(err, bridge.ErrNobody) {
		t.Errorf("nobody: %v", err)
	}
}

func TestEraseFromOutsideMarksTheUser(t *testing.T) {
	i := enlisted(t)
	gatekeepers, err := bridge.EraseUser(context.Background(), i.cfg, alice)
	if err != nil || len(gatekeepers) != 1 || gatekeepers[0] != "Some Messenger" || i.state() != database.Leaving {
		t.Errorf("%v, %v, state %q", gatekeepers, err, i.state())
	}
	if _, err = bridge.EraseUser(context.Background(), i.cfg, "@nobody:example.org"); !errors.Is(err, bridge.ErrNotEnlisted) {
		t.Errorf("nobody: %v", err)
	}
}

// TestExportAndEraseOnPostgreSQL beside the daemon, as on SQLite.
func TestExportAndEraseOnPostgreSQL(t *testing.T) {
	uri := pgtest.URI(t)
	if uri == "" {
		return
	}
	ctx := context.Background()
	i := enlisted(t, func(cfg *config.Config) { cfg.Database = config.Database{Type: config.Postgres, URI: uri} })
	content, err := bridge.ExportUser(ctx, i.cfg, alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{string(contact), string(chatRoom), "in:wa-4915112345678:A", `"state": "enlisted"`} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the export does not hold %q", want)
		}
	}
	if gatekeepers, err := bridge.EraseUser(ctx, i.cfg, alice); err != nil || len(gatekeepers) != 1 || i.state() != database.Leaving {
		t.Errorf("%v, %v, state %q", gatekeepers, err, i.state())
	}
	for user, want := range map[id.UserID]int{"": 1, alice: 1, "@nobody:example.org": 0} {
		pending, err := bridge.PendingErasures(ctx, i.cfg, user)
		if err != nil || len(pending) != want || want == 1 && (!pending[0].Chats || pending[0].User != alice) {
			t.Errorf("pending of %q: %+v, %v", user, pending, err)
		}
	}
}
