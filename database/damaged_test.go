package database_test

import (
	"context"
	"testing"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/interop"
)

// damage changes a byte of sealed values, as a bad disk does. where is a condition of the table's rows.
func damage(t *testing.T, raw *dbutil.Database, table, column, where string) {
	t.Helper()
	_, err := raw.Exec(context.Background(), "UPDATE "+table+" SET "+column+" = $1 WHERE "+where, make([]byte, 100))
	check(t, err)
}

// TestADamagedRowStopsNothingElse: of everything that is read in lists, the rest goes on.
func TestADamagedRowStopsNothingElse(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		store := newAccount(t, db)

		check(t, store.AddPreKeys(ctx, []interop.PreKey{{ID: 1}, {ID: 2}}, false))
		damage(t, raw, "postern_prekey", "key_pair", "id = 1")
		if keys := must(store.UnsentPreKeys(ctx)); len(keys) != 1 || keys[0].ID != 2 {
			t.Errorf("prekeys: %d", len(keys))
		}

		for id := range uint32(2) {
			key := interop.SignedPreKey{PreKey: interop.PreKey{ID: id + 1}, Created: time.Unix(int64(id+1), 0)}
			check(t, store.AddSignedPreKey(ctx, key))
		}
		damage(t, raw, "postern_signed_prekey", "key_pair", "id = 2")
		if key := must(store.LoadSignedPreKey(ctx, 0)); key == nil || key.ID != 1 {
			t.Errorf("the newest signed prekey is %v", key)
		}

		for _, id := range []string{"A", "B"} {
			must(store.Enqueue(ctx, interop.Outgoing{ID: id, Chat: aliceJID, Plaintext: []byte("text")}))
		}
		damage(t, raw, "postern_outgoing", "plaintext", "id = 'A'")
		pending := must(store.PendingMessages(ctx, 0, 9))
		if len(pending) != 2 || !pending[0].Damaged || pending[1].Damaged || string(pending[1].Plaintext) != "text" {
			t.Errorf("the outbox has %+v", pending)
		}

		other := enlistment()
		check(t, db.Enlistments().Create(ctx, other))
		damage(t, raw, "postern_enlistment", "account_keys", "user_id <> '"+other.UserID+"'")
		if all := must(db.Enlistments().List(ctx)); len(all) != 1 || all[0].UserID != other.UserID {
			t.Errorf("%d enlistments", len(all))
		}
	})
}
