package database_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
	"postern/interop"
)

// TestSealedRowsCannotBeSwapped plays somebody who can write the database but has no secret key. What they moved is missing, and the
// log tells.
func TestSealedRowsCannotBeSwapped(t *testing.T) {
	ctx := context.Background()
	bob2 := bob
	bob2.Device = 2
	opened := func(store *database.AccountStore) (bool, error) {
		message, err := store.FindOutgoing(ctx, "B")
		return err == nil && (message.Plaintext != nil || !message.Damaged), err
	}
	for name, test := range map[string]struct {
		attack string
		opened func(store *database.AccountStore) (bool, error)
	}{
		"session of another device": {
			"UPDATE postern_session SET record = (SELECT record FROM postern_session WHERE account = %d AND address LIKE '%%/0')",
			func(store *database.AccountStore) (bool, error) {
				session, err := store.LoadSession(ctx, bob2)
				return session != nil, err
			},
		},
		"session of another account": {
			"UPDATE postern_session SET record = (SELECT record FROM postern_session WHERE account <> %d)",
			func(store *database.AccountStore) (bool, error) {
				session, err := store.LoadSession(ctx, bob)
				return session != nil, err
			},
		},
		"prekey with another id": {
			"UPDATE postern_prekey SET id = 9 WHERE account = %d",
			func(store *database.AccountStore) (bool, error) {
				key, err := store.LoadPreKey(ctx, 9)
				return key != nil, err
			},
		},
		"one-time prekey as signed prekey": {
			"UPDATE postern_signed_prekey SET key_pair = (SELECT key_pair FROM postern_prekey WHERE account = %d)",
			func(store *database.AccountStore) (bool, error) {
				key, err := store.LoadSignedPreKey(ctx, 0)
				return key != nil, err
			},
		},
		"plain text of another message": {
			"UPDATE postern_outgoing SET plaintext = (SELECT plaintext FROM postern_outgoing WHERE account = %d AND id = 'A')",
			opened,
		},
		"message to somebody else": {
			"UPDATE postern_outgoing SET chat = 's.whatsapp.net/0/0/0/49666' WHERE account = %d",
			opened,
		},
		"inbox as outbox": {
			"UPDATE postern_outgoing SET plaintext = (SELECT plaintext FROM postern_received WHERE account = %d)",
			opened,
		},
		"received under another hash": {
			"UPDATE postern_received SET hash = x'" + fmt.Sprintf("%064x", 7) + "' WHERE account = %d",
			func(store *database.AccountStore) (bool, error) {
				_, found, err := store.FindReceived(ctx, [32]byte{31: 7})
				return found, err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			raw := openSQLite(t, "")
			var log bytes.Buffer
			db := database.New(raw, testKey, zerolog.New(&log))
			check(t, db.Upgrade(ctx))
			victim := enlistment()
			check(t, db.Enlistments().Create(ctx, victim))
			store := db.AccountStore(victim.Account)
			fill(t, store)
			check(t, store.SaveSession(ctx, bob2, []byte("second device")))
			_, err := store.Enqueue(ctx, interop.Outgoing{ID: "B", Chat: aliceJID, Plaintext: []byte("second")})
			check(t, err)
			fill(t, newAccount(t, db))
			_, err = raw.Exec(ctx, fmt.Sprintf(test.attack, victim.Account))
			check(t, err)
			if opened, err := test.opened(store); opened || err != nil {
				t.Errorf("opened: %t, error %v", opened, err)
			}
			if told := fmt.Sprintf(`"account":%d`, victim.Account); !strings.Contains(log.String(), told) || !strings.Contains(log.String(), "is damaged") {
				t.Errorf("the log does not tell: %s", log.String())
			}
		})
	}
	t.Run("keys of another enlistment", func(t *testing.T) {
		raw := openSQLite(t, "")
		db := upgraded(t, raw)
		one, two := enlistment(), enlistment()
		check(t, db.Enlistments().Create(ctx, one))
		check(t, db.Enlistments().Create(ctx, two))
		_, err := raw.Exec(ctx, "UPDATE postern_enlistment SET account_keys = (SELECT account_keys FROM postern_enlistment WHERE account = $1)", two.Account)
		check(t, err)
		if _, err = db.Enlistments().Find(ctx, one.Gatekeeper, one.UserID); !errors.Is(err, database.ErrSealBroken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOuterTransactionCannotHideAnInnerFailure(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		store := newAccount(t, upgraded(t, raw))
		failure := errors.New("inner failure")
		err := store.Atomically(ctx, func(ctx context.Context) error {
			check(t, store.SaveSession(ctx, bob, []byte("outer")))
			_ = store.Atomically(ctx, func(ctx context.Context) error {
				check(t, store.SaveIdentity(ctx, bob, [32]byte{1}))
				return failure
			})
			return nil
		})
		if !errors.Is(err, database.ErrNestedFailure) || !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if session := must(store.LoadSession(ctx, bob)); session != nil {
			t.Error("half of the work was committed")
		}
	})
}

func TestAtomicallyJoinsTheCallersTransaction(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		store := newAccount(t, upgraded(t, raw))
		failure := errors.New("caller's failure")
		err := raw.DoTxn(ctx, nil, func(ctx context.Context) error {
			check(t, store.Atomically(ctx, func(ctx context.Context) error { return store.SaveSession(ctx, bob, []byte("x")) }))
			return failure
		})
		if !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if session := must(store.LoadSession(ctx, bob)); session != nil {
			t.Error("the store committed what the caller undid")
		}
	})
}
