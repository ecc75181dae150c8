package database_test

import (
	"bytes"
	"context"
	"testing"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"
)

func TestDecisionsAboutBlocksAndKeysAreKept(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		contacts, other := twoContacts(t, upgraded(t, raw))
		device := types.NewADJID(anna.User, 0, 3)
		check(t, contacts.SetBlocked(ctx, device, true))
		check(t, contacts.SetListed(ctx, ben, true))
		check(t, contacts.SetCompared(ctx, anna, []byte("hash")))
		if contact := must(contacts.Contact(ctx, anna)); !contact.Blocked || contact.Listed || !bytes.Equal(contact.Compared, []byte("hash")) {
			t.Errorf("got %+v", contact)
		}
		if all := must(contacts.Blocks(ctx)); len(all) != 2 {
			t.Errorf("%d contacts are blocked, listed or ignored", len(all))
		}
		check(t, contacts.SetBlocked(ctx, anna, false))
		check(t, contacts.SetIgnored(ctx, anna, true))
		check(t, contacts.SetCompared(ctx, anna, nil))
		if contact := must(contacts.Contact(ctx, anna)); contact.Blocked || !contact.Ignored || contact.Compared != nil {
			t.Errorf("got %+v", contact)
		}
		check(t, contacts.SetIgnored(ctx, anna, false))
		if all := must(contacts.Blocks(ctx)); len(all) != 1 || all[0].JID != ben {
			t.Errorf("got %d contacts", len(all))
		}
		if all := must(other.Blocks(ctx)); len(all) != 0 {
			t.Error("another account has them, too")
		}
	})
}

// TestARenewedEnlistmentBlocksAnew: the new account has an empty blocklist, and its key makes other security codes.
func TestARenewedEnlistmentBlocksAnew(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		before, after := enlistment(), enlistment()
		after.Gatekeeper, after.UserID = before.Gatekeeper, before.UserID
		check(t, db.Enlistments().Create(ctx, before))
		contacts := db.Contacts(before.Account)
		check(t, contacts.SetBlocked(ctx, anna, true))
		check(t, contacts.SetListed(ctx, anna, true))
		check(t, contacts.SetCompared(ctx, anna, []byte("hash")))
		check(t, db.AccountStore(before.Account).SetHeld(ctx, anna, true))
		check(t, db.Enlistments().Renew(ctx, before.Account, after))
		contact := must(db.Contacts(after.Account).Contact(ctx, anna))
		if !contact.Blocked || contact.Listed || contact.Held || contact.Compared != nil {
			t.Errorf("got %+v", contact)
		}
	})
}
