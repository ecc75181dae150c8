package database_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/database"
	"postern/puppet"
)

func TestOfTwoWhoDecideAboutARequestOneIsTooLate(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		contacts, other := twoContacts(t, upgraded(t, raw))
		bob := types.NewJID("4915112345678", types.DefaultUserServer)
		expect := func(want puppet.Request) {
			t.Helper()
			if got := must(contacts.Contact(ctx, bob)); got.Request != want || got.JID != bob {
				t.Errorf("got %+v, want request %d", got, want)
			}
		}
		expect(puppet.NeverAsked)
		for _, news := range []bool{true, false} {
			changed := must(contacts.SetRequest(ctx, types.NewADJID(bob.User, 0, 3), puppet.NeverAsked, puppet.Asks))
			if changed != news {
				t.Errorf("changed is %t instead of %t", changed, news)
			}
			expect(puppet.Asks)
		}
		var won atomic.Int32
		var wait sync.WaitGroup
		for _, decision := range []puppet.Request{puppet.Accepted, puppet.Declined} {
			wait.Go(func() {
				if changed, err := contacts.SetRequest(ctx, bob, puppet.Asks, decision); err != nil {
					t.Error(err)
				} else if changed {
					won.Add(1)
				}
			})
		}
		wait.Wait()
		if won.Load() != 1 {
			t.Errorf("%d decisions counted", won.Load())
		}
		if all := must(contacts.All(ctx)); len(all) != 1 || all[0].Request < puppet.Accepted {
			t.Errorf("contacts are %+v", all)
		}
		if all := must(other.All(ctx)); len(all) != 0 {
			t.Error("another account has the contact")
		}
	})
}

func twoContacts(t *testing.T, db *database.Database) (one, other *database.Contacts) {
	t.Helper()
	alice, bob := enlistment(), enlistment()
	check(t, db.Enlistments().Create(context.Background(), alice))
	check(t, db.Enlistments().Create(context.Background(), bob))
	return db.Contacts(alice.Account), db.Contacts(bob.Account)
}
