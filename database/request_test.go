package database_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"
	"go.mau.fi/whatsmeow/types"

	"postern/database"
	"postern/puppet"
)

var (
	anna = types.NewJID("4915112345671", types.DefaultUserServer)
	ben  = types.NewJID("130455123456789", types.HiddenUserServer)
)

func TestKeptMessagesComeBackInTheirOrder(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		alice := enlistment()
		check(t, db.Enlistments().Create(ctx, alice))
		contacts, kept := db.Contacts(alice.Account), db.Kept(alice.Account)
		for _, jid := range []types.JID{anna, ben} {
			if !must(contacts.Ask(ctx, jid)) || must(contacts.Ask(ctx, jid)) {
				t.Error("a contact asks more or less than once")
			}
		}
		check(t, kept.Put(ctx, anna, "z", []byte("lost"), false))
		check(t, kept.Put(ctx, anna, "a", []byte("second"), true))
		check(t, kept.Put(ctx, ben, "a", []byte("other"), true))
		check(t, kept.Put(ctx, anna, "z", []byte("first"), true))   // it came again, whole
		check(t, kept.Put(ctx, anna, "a", []byte("changed"), true)) // it came again
		check(t, kept.Put(ctx, anna, "z", []byte("broken"), false)) // it came again, late
		if size := must(kept.Size(ctx, anna)); size != (database.KeptSize{Count: 2, Bytes: 11, AllCount: 3, AllBytes: 16}) {
			t.Errorf("size is %+v", size)
		}
		for _, want := range []struct{ id, message string }{{"z", "first"}, {"a", "second"}, {"", ""}} {
			id, message, err := kept.First(ctx, anna)
			if err != nil || id != want.id || string(message) != want.message {
				t.Errorf("got %q, %q, %v instead of %q", id, message, err, want)
			}
			if has := must(kept.Has(ctx, anna, want.id)); has != (want.id != "") {
				t.Errorf("has %q: %t", want.id, has)
			}
			check(t, kept.Delete(ctx, anna, id))
		}
		if id, _, err := kept.First(ctx, ben); err != nil || id != "a" {
			t.Errorf("another contact's message is %q, %v", id, err)
		}
	})
}

func TestKeptMessagesAreSealed(t *testing.T) {
	ctx := context.Background()
	raw := openSQLite(t, "")
	db := upgraded(t, raw)
	alice := enlistment()
	check(t, db.Enlistments().Create(ctx, alice))
	must(db.Contacts(alice.Account).Ask(ctx, anna))
	secret := []byte("meet me at the old mill")
	check(t, db.Kept(alice.Account).Put(ctx, anna, "a", secret, true))
	var stored []byte
	check(t, raw.QueryRow(ctx, "SELECT message FROM postern_kept").Scan(&stored))
	if bytes.Contains(stored, secret[:8]) {
		t.Error("a kept message is stored in the clear")
	}
	_, err := raw.Exec(ctx, "UPDATE postern_kept SET id = 'b'")
	check(t, err)
	if id, message, err := db.Kept(alice.Account).First(ctx, anna); id != "b" || message != nil || err != nil {
		t.Errorf("a moved message is %q, %q, %v", id, message, err)
	}
}

func TestOldKeptMessagesCountAsMissed(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		alice := enlistment()
		check(t, db.Enlistments().Create(ctx, alice))
		contacts, kept := db.Contacts(alice.Account), db.Kept(alice.Account)
		for _, jid := range []types.JID{anna, ben} {
			must(contacts.Ask(ctx, jid))
			check(t, kept.Put(ctx, jid, "a", []byte("text"), true))
			check(t, kept.Put(ctx, jid, "b", []byte("text"), true))
		}
		check(t, contacts.AddMissed(ctx, anna))
		check(t, kept.Prune(ctx, time.Now().Add(-time.Hour)))
		if contact := must(contacts.Contact(ctx, anna)); contact.Missed != 1 {
			t.Errorf("new messages count as missed: %d", contact.Missed)
		}
		check(t, kept.Prune(ctx, time.Now().Add(time.Hour)))
		if contact := must(contacts.Contact(ctx, anna)); contact.Missed != 3 {
			t.Errorf("missed %d", contact.Missed)
		}
		if size := must(kept.Size(ctx, anna)); size.AllCount != 0 {
			t.Errorf("%d old messages are left", size.AllCount)
		}
	})
}

func TestUnsettledAreThoseWithSomethingLeftToDo(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		alice := enlistment()
		check(t, db.Enlistments().Create(ctx, alice))
		contacts, kept := db.Contacts(alice.Account), db.Kept(alice.Account)
		must(contacts.Ask(ctx, anna))
		must(contacts.Ask(ctx, ben))
		check(t, kept.Put(ctx, anna, "a", []byte("text"), true))
		check(t, contacts.SetShown(ctx, ben, true))
		expect := func(want int) {
			t.Helper()
			if unsettled := must(contacts.Unsettled(ctx)); len(unsettled) != want {
				t.Errorf("%d contacts are unsettled instead of %d", len(unsettled), want)
			}
		}
		if asking, shown, err := contacts.CountRequests(ctx); err != nil || asking != 2 || shown != 1 {
			t.Errorf("%d ask, %d are shown: %v", asking, shown, err)
		}
		expect(0)
		must(contacts.SetRequest(ctx, anna, puppet.Asks, puppet.Accepted))
		must(contacts.SetRequest(ctx, ben, puppet.Asks, puppet.Declined))
		expect(2)
		check(t, kept.DeleteAll(ctx, anna))
		check(t, contacts.SetShown(ctx, ben, false))
		expect(0)
		if declined := must(contacts.Requests(ctx, puppet.Declined, 10)); len(declined) != 1 || declined[0].JID != ben {
			t.Errorf("declined are %+v", declined)
		}
	})
}

func TestDecisionsAndSettingsSurviveALapse(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		enlistments := db.Enlistments()
		old := enlistment()
		check(t, enlistments.Create(ctx, old))
		check(t, enlistments.SetSetting(ctx, old.Account, "typing", "off"))
		check(t, enlistments.SetSetting(ctx, old.Account, "quiet", "all"))
		check(t, enlistments.SetSetting(ctx, old.Account, "quiet", ""))
		must(db.Contacts(old.Account).Ask(ctx, anna))
		check(t, db.Kept(old.Account).Put(ctx, anna, "a", []byte("text"), true))

		renewed := enlistment()
		renewed.UserID = old.UserID
		check(t, enlistments.Renew(ctx, old.Account, renewed))
		found := must(enlistments.Find(ctx, old.Gatekeeper, old.UserID))
		if found.Account != renewed.Account || !maps.Equal(found.Settings, map[string]string{"typing": "off"}) {
			t.Errorf("account %d, settings %v", found.Account, found.Settings)
		}
		if contact := must(db.Contacts(renewed.Account).Contact(ctx, anna)); contact.Request != puppet.Asks {
			t.Errorf("the contact's request is %d", contact.Request)
		}
		if id, message, err := db.Kept(renewed.Account).First(ctx, anna); err != nil || id != "a" || string(message) != "text" {
			t.Errorf("kept is %q, %q, %v", id, message, err)
		}
		if size := must(db.Kept(old.Account).Size(ctx, anna)); size.AllCount != 0 {
			t.Error("the old account has something left")
		}
		if err := enlistments.SetSetting(ctx, old.Account, "typing", "on"); !errors.Is(err, database.ErrNoEnlistment) {
			t.Errorf("the old account takes settings: %v", err)
		}
		if err := enlistments.Renew(ctx, old.Account, renewed); !errors.Is(err, database.ErrNoEnlistment) {
			t.Errorf("renewed what is gone: %v", err)
		}
	})
}

func TestPingsAreFewAndAnswersCountOnce(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		alice := enlistment()
		check(t, db.Enlistments().Create(ctx, alice))
		contacts := db.Contacts(alice.Account)
		now := time.Unix(1_800_000_000, 0)
		ping := func(jid types.JID, at time.Time) bool {
			return must(contacts.Ping(ctx, jid, at, at.Add(-7*24*time.Hour)))
		}
		if !ping(anna, now) || ping(anna, now.Add(6*24*time.Hour)) {
			t.Error("one contact is asked more or less than once in a week")
		}
		if !ping(ben, now) {
			t.Error("another contact is not asked")
		}
		if contact := must(contacts.Contact(ctx, anna)); !contact.Wished || !contact.Pinged.Equal(now) || contact.Request != puppet.NeverAsked {
			t.Errorf("the contact is %+v", contact)
		}
		if !must(contacts.Grant(ctx, anna)) || must(contacts.Grant(ctx, anna)) {
			t.Error("an answer counts more or less than once")
		}
		check(t, contacts.Unping(ctx, ben))
		if contact := must(contacts.Contact(ctx, ben)); contact.Wished || !contact.Pinged.IsZero() {
			t.Errorf("a ping that was taken back is %+v", contact)
		}
		if !ping(anna, now.Add(8*24*time.Hour)) {
			t.Error("a contact cannot be asked again after a week")
		}
	})
}
