package database_test

import (
	"context"
	"testing"
	"time"

	"postern/database"
	"postern/interop"
	"postern/provider"
	"postern/puppet"
)

// addition is what came with a version of the schema, as frozen databases hold it since then. What a frozen database holds never
// changes, so neither may an addition, once its version is frozen.
type addition struct {
	version    int
	add, check func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID)
}

var additions = []addition{
	{2, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		draft := interop.Outgoing{ID: "DRAFT", Chat: aliceJID, Plaintext: []byte("draft"), Ref: "$file", Created: frozenTime, Draft: true}
		must(db.AccountStore(account).Enqueue(ctx, draft))
		check(t, db.Unfetched(account).PutUnfetched(ctx, "in:bob:1", []byte("unfetched")))
	}, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		if draft := must(db.AccountStore(account).FindOutgoing(ctx, "DRAFT")); draft == nil || !draft.Draft || string(draft.Plaintext) != "draft" {
			t.Errorf("the draft came back as %+v", draft)
		}
		if message := must(db.Unfetched(account).Unfetched(ctx, "in:bob:1")); string(message) != "unfetched" {
			t.Errorf("the message without its file came back as %q", message)
		}
	}},
	{3, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		check(t, db.ProviderKeys().AddNextKey(ctx, provider.StoredKey{ID: "second", PKCS8: []byte("next")}))
		check(t, db.ProviderKeys().RotateKeys(ctx, "kid", "second", frozenTime))
	}, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		states := make(map[string]provider.KeyState)
		for _, key := range must(db.ProviderKeys().SigningKeys(ctx)) {
			states[key.ID] = key.State
		}
		if states["kid"] != provider.KeyRetired || states["second"] != provider.KeyActive {
			t.Errorf("signing keys are %v", states)
		}
	}},
	{4, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		check(t, db.Enlistments().MarkConnected(ctx, account, frozenTime))
	}, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		if alice := findAlice(t, ctx, db); alice.Connected.IsZero() {
			t.Error("when the user was connected is lost")
		}
	}},
	{5, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		check(t, db.Enlistments().Declare(ctx, account, 2, frozenTime))
	}, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		if alice := findAlice(t, ctx, db); alice.EEAVersion != 2 || !alice.EEAAt.Equal(frozenTime) || !alice.DeclaredEEA() {
			t.Errorf("the declaration came back as %+v", alice)
		}
	}},
	{6, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		contacts := db.Contacts(account)
		must(contacts.Ask(ctx, bob.JID()))
		check(t, contacts.SetBlocked(ctx, bob.JID(), true))
		check(t, db.Kept(account).Put(ctx, bob.JID(), "KEPT", []byte("kept"), true))
		check(t, db.Enlistments().SetSetting(ctx, account, "receipts", "off"))
	}, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		if contact := must(db.Contacts(account).Contact(ctx, bob.JID())); contact.Request != puppet.Asks || !contact.Blocked {
			t.Errorf("the contact came back as %+v", contact)
		}
		if id, message, err := db.Kept(account).First(ctx, bob.JID()); id != "KEPT" || string(message) != "kept" || err != nil {
			t.Errorf("kept is %q %q, %v", id, message, err)
		}
		if alice := findAlice(t, ctx, db); alice.Settings["receipts"] != "off" {
			t.Errorf("settings are %v", alice.Settings)
		}
	}},
	{7, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		check(t, db.Usage().SetUsed(ctx, "@alice:example.org", "messages", 20_000, 7))
		must(db.Suspensions().Add(ctx, database.Suspension{UserID: "@mallory:example.org", Reason: "spam", Actor: "@admin:example.org", At: frozenTime}))
		check(t, db.Audit().Append(ctx, database.AuditEntry{At: frozenTime, Kind: "enlisted", UserID: "@alice:example.org"}))
	}, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		if used := must(db.Usage().Used(ctx, "@alice:example.org", "messages", 20_000)); used != 7 {
			t.Errorf("used %d", used)
		}
		if all := must(db.Suspensions().All(ctx)); len(all) != 1 || all[0].Reason != "spam" || !all[0].At.Equal(frozenTime) {
			t.Errorf("suspensions are %+v", all)
		}
		if count, _, err := db.Audit().Verify(ctx); count != 1 || err != nil {
			t.Errorf("the audit log has %d entries, %v", count, err)
		}
	}},
	{8, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		check(t, db.RoomKeys().Put(ctx, []database.RoomKey{roomKey("DEVICE", "1")}, 9))
	}, func(t *testing.T, ctx context.Context, db *database.Database, _ database.AccountID) {
		if got := sessions(t, db.RoomKeys(), "DEVICE"); len(got) != 1 || got[0] != "1" {
			t.Errorf("room keys are %q", got)
		}
	}},
	{9, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		check(t, db.AccountStore(account).AddPreKeys(ctx, []interop.PreKey{{ID: 99, KeyPair: interop.NewKeyPair()}}, true))
	}, func(t *testing.T, ctx context.Context, db *database.Database, account database.AccountID) {
		store := db.AccountStore(account)
		check(t, store.PruneSentPreKeys(ctx, 0, time.Time{}))
		if must(store.LoadPreKey(ctx, 99)) != nil {
			t.Error("a prekey of a retry receipt is not known as one")
		}
	}},
}

func findAlice(t *testing.T, ctx context.Context, db *database.Database) *database.Enlistment {
	t.Helper()
	alice, err := db.Enlistments().Find(ctx, "whatsapp", "@alice:example.org")
	check(t, err)
	return alice
}

var frozenTime = time.Unix(1_760_000_000, 0)
