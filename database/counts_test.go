package database_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
)

func TestCountsAreByGatekeeper(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		table := db.Enlistments()
		if got := must(table.CountOutbox(ctx)); len(got) != 0 {
			t.Errorf("in an empty database: %v", got)
		}
		begun, busy := enlistment(), enlistment()
		begun.UserID, busy.UserID = "@begun:example.org", "@busy:example.org"
		check(t, table.Create(ctx, begun))
		check(t, table.Create(ctx, busy))
		check(t, table.MarkEnlisted(ctx, busy.Account, aliceJID, "wa-1"))
		store := db.AccountStore(busy.Account)
		for n, id := range []string{"A", "B", "C"} {
			created := frozenTime.Add(time.Duration(n) * time.Second)
			must(store.Enqueue(ctx, interop.Outgoing{ID: id, Chat: aliceJID, Plaintext: []byte("text"), Created: created}))
		}
		check(t, store.SetOutgoingSent(ctx, "A", nil))
		outbox := must(table.CountOutbox(ctx))
		if len(outbox) != 1 || outbox[0].Gatekeeper != "whatsapp" || outbox[0].Count != 2 || !outbox[0].Oldest.Equal(frozenTime.Add(time.Second)) {
			t.Errorf("outbox %+v", outbox)
		}
		states := make(map[database.EnlistmentState]int)
		for _, count := range must(table.CountEnlistments(ctx)) {
			states[count.State] += count.Count
		}
		if len(states) != 2 || states[database.Enlisted] != 1 || states[database.Enlisting] != 1 {
			t.Errorf("enlistments %v", states)
		}
	})
}
