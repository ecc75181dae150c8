package bridge_test

import (
	"context"
	"strings"
	"testing"

	"postern/bridge"
	"postern/bridge/config"
	"postern/database"
	"postern/database/pgtest"
)

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
	if pending, err := bridge.PendingErasures(ctx, i.cfg, ""); err != nil || len(pending) != 1 || !pending[0].Chats {
		t.Errorf("pending %+v, %v", pending, err)
	}
	if err = i.daemon.Network().AllEnlistments().MarkTold(ctx, i.enlistment().Account); err != nil { // there is nobody to tell
		t.Fatal(err)
	}
	i.restart()
	i.daemon.Resume(ctx)
	i.daemon.WaitForWork()
	i.restart()
	if err = i.daemon.EraseUnusedContacts(ctx); err != nil {
		t.Fatal(err)
	}
	if left := i.rows(); i.state() != "" || len(left) > 0 {
		t.Errorf("state %q, left %v", i.state(), left)
	}
	if pending, err := bridge.PendingErasures(ctx, i.cfg, ""); err != nil || len(pending) != 0 {
		t.Errorf("pending %+v, %v", pending, err)
	}
}
