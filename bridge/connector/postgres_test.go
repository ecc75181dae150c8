package connector_test

import (
	"context"
	"testing"

	"postern/bridge/config"
	"postern/database/pgtest"
)

// TestLeavingErasesAllOnPostgreSQL, as on SQLite.
func TestLeavingErasesAllOnPostgreSQL(t *testing.T) {
	uri := pgtest.URI(t)
	if uri == "" {
		return
	}
	ctx := context.Background()
	i := enlisted(t, func(cfg *config.Config) { cfg.Database = config.Database{Type: config.Postgres, URI: uri} })
	if err := i.network.AllEnlistments().MarkLeaving(ctx, i.enlistment().Account); err != nil {
		t.Fatal(err)
	}
	if pending, err := i.network.StillPending(ctx, ""); err != nil || len(pending) != 1 || !pending[0].Chats {
		t.Errorf("pending %+v, %v", pending, err)
	}
	if err := i.network.AllEnlistments().MarkTold(ctx, i.enlistment().Account); err != nil { // there is nobody to tell
		t.Fatal(err)
	}
	i.restart()
	i.network.Resume(ctx)
	i.network.WaitForWork()
	i.restart()
	if err := i.network.EraseUnusedContacts(ctx); err != nil {
		t.Fatal(err)
	}
	if left := i.rows(); i.state() != "" || len(left) > 0 {
		t.Errorf("state %q, left %v", i.state(), left)
	}
	if pending, err := i.network.StillPending(ctx, ""); err != nil || len(pending) != 0 {
		t.Errorf("pending %+v, %v", pending, err)
	}
}
