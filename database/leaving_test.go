package database_test

import (
	"context"
	"testing"

	"go.mau.fi/util/dbutil"

	"postern/database"
)

// stored makes an enlistment that the gatekeeper said yes to.
func stored(t *testing.T, table database.Enlistments) *database.Enlistment {
	t.Helper()
	ctx, made := context.Background(), enlistment()
	check(t, table.Create(ctx, made))
	check(t, table.MarkEnlisted(ctx, made.Account, aliceJID, "whatsapp_1"))
	return must(table.ByLogin(ctx, "whatsapp_1"))
}

func TestLeavingGoesOneWay(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx, table := context.Background(), upgraded(t, raw).Enlistments()
		alice := stored(t, table)
		if leaving := must(table.Leaving(ctx)); len(leaving) != 0 {
			t.Fatalf("%d leave before anybody wanted to", len(leaving))
		}
		check(t, table.MarkLeaving(ctx, alice.Account))
		check(t, table.MarkLapsed(ctx, alice.Account)) // news that came late
		if leaving := must(table.Leaving(ctx)); len(leaving) != 1 || leaving[0].State != database.Leaving || leaving[0].Told {
			t.Fatalf("who leaves: %+v", leaving)
		}
		check(t, table.MarkTold(ctx, alice.Account))
		if leaving := must(table.Leaving(ctx)); len(leaving) != 1 || !leaving[0].Told {
			t.Error("it is not stored that the gatekeeper knows")
		}
	})
}

func TestAllEnlistmentsOfAUserAreMarkedAndNoOthers(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx, table := context.Background(), upgraded(t, raw).Enlistments()
		alice, other := stored(t, table), enlistment()
		check(t, table.Create(ctx, other))
		second := enlistment()
		second.Gatekeeper, second.UserID = "messenger", alice.UserID
		check(t, table.Create(ctx, second))
		if marked := must(table.MarkAllLeaving(ctx, alice.UserID)); len(marked) != 2 || marked[0].State != database.Leaving || marked[1].State != database.Leaving {
			t.Errorf("marked %d", len(marked))
		}
		if nobody := must(table.MarkAllLeaving(ctx, "@nobody:example.org")); len(nobody) != 0 {
			t.Error("somebody was marked for nobody")
		}
		if found := must(table.Find(ctx, other.Gatekeeper, other.UserID)); found.State == database.Leaving {
			t.Error("another user leaves too")
		}
	})
}

func TestErasedChatsLeaveTheKeysForTheFarewell(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx, db := context.Background(), upgraded(t, raw)
		alice := stored(t, db.Enlistments())
		store := db.AccountStore(alice.Account)
		check(t, store.SaveSession(ctx, bob, []byte("session")))
		check(t, db.Unfetched(alice.Account).PutUnfetched(ctx, "in:x", []byte("message")))
		must(db.Contacts(alice.Account).Ask(ctx, aliceJID))
		check(t, db.Enlistments().EraseChats(ctx, alice.Account))
		if session := must(store.LoadSession(ctx, bob)); session != nil {
			t.Error("a session is left")
		}
		if contacts := must(db.Contacts(alice.Account).All(ctx)); len(contacts) != 0 {
			t.Errorf("decisions about %d contacts are left", len(contacts))
		}
		if ids := must(db.Unfetched(alice.Account).UnfetchedIDs(ctx, "in:", 9)); len(ids) != 0 {
			t.Error("a message is left")
		}
		if again := must(db.Enlistments().ByLogin(ctx, alice.Login)); again.Keys.Noise != alice.Keys.Noise {
			t.Error("the keys are gone before the gatekeeper knows")
		}
	})
}

func TestDeclarationIsKeptWithVersionAndTimes(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx, table := context.Background(), upgraded(t, raw).Enlistments()
		alice := stored(t, table)
		if alice.DeclaredEEA() {
			t.Error("declared without a word")
		}
		check(t, table.Declare(ctx, alice.Account, 3, frozenTime))
		if alice = must(table.ByLogin(ctx, alice.Login)); !alice.DeclaredEEA() || alice.EEAVersion != 3 || !alice.EEAAt.Equal(frozenTime) {
			t.Errorf("declared: %+v", alice)
		}
		check(t, table.Withdraw(ctx, alice.Account, frozenTime))
		if alice = must(table.ByLogin(ctx, alice.Login)); alice.DeclaredEEA() || alice.EEAVersion != 3 || !alice.EEAWithdrawn.Equal(frozenTime) {
			t.Errorf("withdrawn: %+v", alice)
		}
		check(t, table.Declare(ctx, alice.Account, 4, frozenTime))
		if alice = must(table.ByLogin(ctx, alice.Login)); !alice.DeclaredEEA() {
			t.Error("declaring again does not help")
		}
	})
}
